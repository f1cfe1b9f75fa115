//! Checks that the README's session works as printed.

use cloakroom_tests::session::Session;
use cloakroom_tests::{Deployment, Keep};

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_session_prints_what_it_says() {
    let cloakroom = Deployment::run(Keep::Nothing).await;
    let session = Session::from_readme();
    session
        .play(|line, _| line.replace("http://127.0.0.1:9000", cloakroom.url()))
        .await;
    let thumbnail = image::ImageReader::open(session.file("thumbnail.jpg"))
        .expect("a file")
        .into_dimensions();
    assert_eq!(thumbnail.expect("an image"), (200, 150));
}
