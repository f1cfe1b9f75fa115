//! `GET /jobs?client_job_id=K`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cloakroom_core::ClientJobId;
use cloakroom_core::view::JobView;
use http::StatusCode;
use serde::Serialize;

use crate::jobs_state::JobsState;
use crate::problems::Rejection;
use crate::{caller, request_trace, response};

/// Body of the response: the job with this key, if there is one.
#[derive(Serialize)]
struct FoundJobs {
    jobs: Vec<JobView>,
}

pub(crate) async fn find(
    State(state): State<Arc<JobsState>>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let key = client_job_id(parts.uri.query().unwrap_or_default())?;
    let tenant = caller::tenant(&parts)?;
    request_trace::record(Some(&tenant), None, None);
    let job = state.jobs.find(&tenant, &key).await?;
    let jobs = job
        .iter()
        .map(|job| JobView::from_job(job, &state.site.settings.base_path))
        .collect();
    let mut response = response::json(StatusCode::OK, &FoundJobs { jobs });
    response::private_cache(response.headers_mut());
    Ok(response)
}

/// Parses the only query parameter. A `+` stands for itself: in a form it is a space, which no key contains.
fn client_job_id(query: &str) -> Result<ClientJobId, Rejection> {
    let query = query.replace('+', "%2B");
    let mut client_job_id = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "client_job_id" {
            return Err(Rejection::invalid(
                "the query has an unknown parameter; send only client_job_id",
            ));
        }
        if client_job_id.replace(value).is_some() {
            return Err(Rejection::invalid(
                "client_job_id occurs more than once; send it once",
            ));
        }
    }
    let missing = "client_job_id is missing; send the Idempotency-Key of the job";
    let value = client_job_id.ok_or_else(|| Rejection::invalid(missing))?;
    let rule = "client_job_id is not valid; send the job's Idempotency-Key: 1 to 255 visible ASCII characters, \
                percent-encoded, without quotes around it";
    value.parse().map_err(|_| Rejection::invalid(rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_the_query_as_it_is_after_percent_decoding() {
        for (query, key) in [
            ("client_job_id=order-1042", "order-1042"),
            ("client_job_id=a%2Fb%22c", "a/b\"c"),
            ("client_job_id=a+b%2Bc", "a+b+c"),
            ("&client_job_id=x=y&", "x=y"),
        ] {
            assert_eq!(
                client_job_id(query).expect("a good key").as_str(),
                key,
                "{query}"
            );
        }
    }

    #[test]
    fn any_other_query_is_rejected() {
        for query in [
            "",
            "client_job_id",
            "client_job_id=",
            "client_job_id=a%20b",
            "client_job_id=%C3%A9",
            "client_job_id=%FF",
            "client_job_id=a&client_job_id=a",
            "client_job_id=a&status=failed",
            "x=1",
        ] {
            assert!(client_job_id(query).is_err(), "{query}");
        }
    }
}
