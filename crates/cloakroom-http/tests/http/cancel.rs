//! Section 6: `DELETE /jobs/{id}`.

use axum::body::Body;

use crate::house::{Answer, House, house};

async fn delete(house: &House, path: &str) -> Answer {
    house.ask("DELETE", path, &[], Body::empty()).await
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_not_begun_is_cancelled_and_never_runs() {
    let house = house();
    let location = house.act("answer", &[]).await.header("location").to_owned();
    for _ in 0..2 {
        let answer = delete(&house, &location).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("cancelled")));
        assert!(answer.header("retry-after").is_empty() && !answer.header("etag").is_empty());
    }
    house.room.work_until_idle().await;
    assert_eq!(house.get(&location, &[]).await.problem(410, "job-cancelled")["job"]["attempt"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_running_job_is_told() {
    let house = house();
    let (location, work) = house.underway("nap").await;
    for _ in 0..2 {
        let answer = delete(&house, &location).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some("cancelling")));
        assert!(!answer.header("retry-after").is_empty());
    }
    work.await.expect("the work ends");
    assert_eq!(delete(&house, &location).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_can_not_be_cancelled() {
    for (act, status) in [("answer", "succeeded"), ("fail", "failed")] {
        let house = house();
        let location = house.done(act).await;
        let problem = delete(&house, &location).await.problem(409, "job-finished");
        assert_eq!(
            (problem["job"]["status"].as_str(), problem["instance"].as_str()),
            (Some(status), Some(location.as_str()))
        );
    }
}
