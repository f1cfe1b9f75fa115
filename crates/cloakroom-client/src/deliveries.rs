//! `GET /jobs/{id}/deliveries`, and `POST …/{delivery}/redeliver`.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::retry::Repeat;
use crate::{Client, DeliveryView, Error};

#[derive(Deserialize)]
struct Listed {
    deliveries: Vec<DeliveryView>,
}

impl Client {
    /// Loads the deliveries of a job's events to webhooks and queues.
    pub async fn deliveries(&self, job: &str) -> Result<Vec<DeliveryView>, Error> {
        let url = self.job(job, &["deliveries"])?;
        let make = || {
            self.request(Method::GET, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.json::<Listed>()?.deliveries),
            _ => Err(answer.into_refusal()),
        }
    }

    /// Requests another attempt of a delivery. `delivery` is its [`DeliveryView::id`].
    pub async fn redeliver(&self, job: &str, delivery: &str) -> Result<(), Error> {
        let url = self.job(job, &["deliveries", delivery, "redeliver"])?;
        let make = || {
            self.request(Method::POST, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        // A receiver accepts the same event more than once.
        let answer = self.ask(Repeat::Safe, make).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(()),
            _ => Err(answer.into_refusal()),
        }
    }
}
