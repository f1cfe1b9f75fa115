//! `order.place`: an example. Replace it by your own command.

use cloakroom::{Command, HandlerError, JobContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Order {
    article: String,
    #[schemars(range(min = 1, max = 100))]
    amount: u32,
}

#[derive(Serialize, JsonSchema)]
struct Receipt {
    total: u32,
}

async fn place(order: Order, job: JobContext) -> Result<Receipt, HandlerError> {
    job.progress(50.0, format!("packing {}", order.article));
    let total = 7 * order.amount;
    Ok(Receipt { total })
}

pub fn command() -> Command {
    Command::json("order.place", place).attempts(5)
}

#[cfg(test)]
mod tests {
    use cloakroom::Status;
    use cloakroom::testing::{self, json};

    #[tokio::test]
    async fn an_order_has_a_receipt() {
        let service = testing::start(crate::service()).await;
        let order = json!({ "article": "hat", "amount": 3 });
        let job = service.submit("order.place", &order).await;
        let job = service.finish(&job.expect("accepted")).await;
        assert_eq!(job.status, Status::Succeeded);
        assert_eq!(job.result, Some(json!({ "total": 21 })));
    }

    #[tokio::test]
    async fn an_order_of_nothing_is_rejected() {
        let service = testing::start(crate::service()).await;
        let order = json!({ "article": "hat", "amount": 0 });
        let problem = service.submit("order.place", &order).await;
        let errors = problem.expect_err("rejected").errors;
        assert_eq!(errors[0].pointer, "/amount");
    }
}
