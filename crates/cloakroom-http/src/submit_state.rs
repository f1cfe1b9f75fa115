//! State of the routes of commands and uploads.

use std::sync::Arc;

use cloakroom_app::{Jobs, Submit, Uploads};

use crate::Site;
use crate::long_polls::LongPolls;

/// State of the routes of commands and uploads.
pub(crate) struct SubmitState {
    pub(crate) site: Arc<Site>,
    pub(crate) jobs: Jobs,
    pub(crate) long_polls: LongPolls,
    pub(crate) submit: Submit,
    pub(crate) uploads: Uploads,
}
