//! The minimal function behind API Gateway: it responds, and calls nothing.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let hello = async |_: Request| -> Result<Response<Body>, Error> {
        Ok(Response::new(Body::from("hello")))
    };
    run(service_fn(hello)).await
}
