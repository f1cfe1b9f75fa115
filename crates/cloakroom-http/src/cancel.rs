//! `DELETE /jobs/{id}`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cloakroom_app::jobs::Cancellation;
use cloakroom_core::view::{self, JobView};
use cloakroom_core::{Code, Job, Problem};
use http::header::ETAG;
use http::{HeaderValue, StatusCode};

use crate::conditional::Preconditions;
use crate::poll::key;
use crate::problems::Refused;
use crate::router::Front;
use crate::{answer, conditional};

pub(crate) async fn cancel(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, _) = request.into_parts();
    let (key, condition) = (key(id, &parts)?, Preconditions::parse(&parts.headers)?);
    let cancelled = match condition {
        None => front.jobs.cancel(&key).await?,
        Some(condition) => {
            front
                .jobs
                .cancel_if(&key, |job| condition.hold(Some(job)))
                .await?
        }
    };
    match cancelled {
        Cancellation::Cancelled(job) => Ok(show(&front, StatusCode::OK, &job)),
        Cancellation::Requested(job) => {
            let mut response = show(&front, StatusCode::ACCEPTED, &job);
            answer::retry_after(response.headers_mut(), &job, front.jobs.shared.host.now());
            Ok(response)
        }
        Cancellation::Finished(job) => Err(finished(JobView::of(&job, &front.site.base_path))),
        Cancellation::Changed => Err(conditional::failed()),
        Cancellation::Unknown => Err(Refused::unknown_job()),
    }
}

fn show(front: &Front, status: StatusCode, job: &Job) -> Response {
    let mut response = answer::json(status, &JobView::of(job, &front.site.base_path));
    let tag = HeaderValue::try_from(view::etag(job)).expect("a tag is visible ASCII");
    response.headers_mut().insert(ETAG, tag);
    answer::personal(response.headers_mut());
    response
}

fn finished(view: JobView) -> Refused {
    let detail = format!(
        "the job is over, it {}, and can't be cancelled; see its member job",
        view.status.as_str()
    );
    let mut problem = Problem::new(Code::JobFinished, detail);
    problem.job = Some(Box::new(view));
    Refused::of(problem)
}
