//! State of the routes of jobs.

use std::sync::Arc;

use cloakroom_app::Jobs;
use cloakroom_core::view::JobView;
use cloakroom_core::{Job, JobKey};

use crate::Site;
use crate::long_polls::LongPolls;
use crate::problems::Rejection;

/// State of the routes of jobs.
#[derive(Clone)]
pub(crate) struct JobsState {
    pub(crate) site: Arc<Site>,
    pub(crate) jobs: Jobs,
    pub(crate) long_polls: LongPolls,
    /// Place of the job, for a request by ticket.
    shared: Option<SharedPlace>,
}

/// Path at which a holder of a ticket finds the job.
#[derive(Clone)]
struct SharedPlace {
    path: String,
    /// True if the holder may cancel the job.
    cancel: bool,
}

impl JobsState {
    pub(crate) fn new(site: Arc<Site>, jobs: Jobs, long_polls: LongPolls) -> Self {
        Self {
            site,
            jobs,
            long_polls,
            shared: None,
        }
    }

    /// Returns the state for a request by ticket, which finds the job at this path.
    pub(crate) fn shared_at(&self, path: String, cancel: bool) -> Self {
        Self {
            shared: Some(SharedPlace { path, cancel }),
            ..self.clone()
        }
    }

    /// Loads a job.
    pub(crate) async fn load(&self, key: &JobKey) -> Result<Job, Rejection> {
        let job = self.jobs.get(key).await?;
        job.ok_or_else(Rejection::unknown_job)
    }

    /// Returns the document of a job, with the links that the caller can use.
    pub(crate) fn view(&self, job: &Job) -> JobView {
        let view = JobView::from_job(job, &self.site.settings.base_path);
        match &self.shared {
            Some(SharedPlace { path, cancel }) => view.shared_at(path, *cancel),
            None => view,
        }
    }
}
