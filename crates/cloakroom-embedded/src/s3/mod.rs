//! S3, implemented by `s3s` on files.

mod access;
mod checked;
mod cors;
mod multipart;

use std::path::Path;

use hyper::{Request, StatusCode};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpResponse};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use crate::account::{ACCESS_KEY, SECRET_KEY};
use crate::net::{self, RequestBody, Stop};
use access::AccessPolicy;
use checked::CheckedFiles;
use cors::Cors;
pub(crate) use multipart::abort_older_than;

/// Builds the service on an existing directory. Unsigned requests are rejected.
pub(crate) fn service(folder: &Path) -> Result<S3Service, String> {
    let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(CheckedFiles::new(files, folder.to_owned()));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.set_access(AccessPolicy(folder.to_owned()));
    Ok(builder.build())
}

/// Serves until it is stopped.
pub(crate) async fn serve(listener: TcpListener, service: S3Service, stop: Stop) {
    let service = move |request| answer(service.clone(), request);
    net::serve(listener, service, net::empty_rejection(), stop).await;
}

async fn answer(service: S3Service, request: Request<RequestBody>) -> HttpResponse {
    let cors = Cors::new(&request);
    if let Some(preflight) = cors.preflight() {
        return preflight;
    }
    let mut response = service
        .call(request.map(Body::http_body))
        .await
        .unwrap_or_else(|error| {
            tracing::error!(?error, "the embedded S3 failed to answer");
            let mut response = HttpResponse::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
    cors.answer(response.headers_mut());
    response
}
