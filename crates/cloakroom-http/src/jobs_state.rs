//! State of the routes of jobs.

use std::sync::Arc;

use cloakroom_app::Jobs;

use crate::Site;
use crate::long_polls::LongPolls;

/// State of the routes of jobs.
pub(crate) struct JobsState {
    pub(crate) site: Arc<Site>,
    pub(crate) jobs: Jobs,
    pub(crate) long_polls: LongPolls,
}
