//! HTTP status and entity tag of a job's representations.

use cloakroom_core::view::{self, JobView};
use cloakroom_core::{Job, Status};
use http::StatusCode;

use crate::accept::Variant;

/// Returns the HTTP status of a job's representations.
pub(crate) fn status(view: &JobView) -> StatusCode {
    match (view.status, &view.error) {
        (Status::Succeeded, _) => StatusCode::OK,
        (Status::Failed, Some(error)) => {
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST)
        }
        (Status::Failed, None) => StatusCode::BAD_REQUEST,
        (Status::Cancelled, _) => StatusCode::GONE,
        (Status::Accepted | Status::Running | Status::Retrying | Status::Cancelling, _) => {
            StatusCode::ACCEPTED
        }
    }
}

/// Returns the entity tag of one variant. Page and document are different representations, so their tags differ.
pub(crate) fn etag(job: &Job, variant: Variant) -> String {
    let tag = view::etag(job);
    match variant {
        Variant::Json => tag,
        Variant::Page => format!("{}-h\"", tag.trim_end_matches('"')),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_app::testing::new_job;
    use cloakroom_core::Timestamp;
    use cloakroom_core::view::ErrorView;

    use super::*;

    #[test]
    fn a_failure_is_a_400_unless_it_has_a_status_that_http_knows() {
        let mut view = JobView::from_job(&new_job(Timestamp::from_millis(7), 1), "");
        view.status = Status::Failed;
        assert_eq!(status(&view), StatusCode::BAD_REQUEST);
        for (given, shown) in [(422, 422), (499, 499), (99, 400), (1000, 400)] {
            view.error = Some(ErrorView {
                status: given,
                code: "x".into(),
                detail: "x".into(),
            });
            assert_eq!(status(&view).as_u16(), shown, "{given}");
        }
    }

    #[test]
    fn each_status_of_a_job_is_one_of_http() {
        let mut view = JobView::from_job(&new_job(Timestamp::from_millis(7), 1), "");
        for (job, shown) in [
            (Status::Accepted, 202),
            (Status::Running, 202),
            (Status::Retrying, 202),
            (Status::Cancelling, 202),
            (Status::Succeeded, 200),
            (Status::Failed, 400),
            (Status::Cancelled, 410),
        ] {
            view.status = job;
            assert_eq!(status(&view).as_u16(), shown, "{job:?}");
        }
    }
}
