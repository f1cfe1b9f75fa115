use cloakroom::{Command, HandlerError, JobContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Order {
    article: String,
    amount: u32,
}

#[derive(Serialize, JsonSchema)]
struct Receipt {
    total: u32,
}

async fn place(order: Order, job: JobContext) -> Result<Receipt, HandlerError> {
    if order.article != "coat hanger" {
        return Err(HandlerError::terminal("no such article").status(404));
    }
    job.progress(50.0, "counting");
    let total = 7 * order.amount;
    Ok(Receipt { total })
}

pub fn command() -> Command {
    Command::json("order.place", place).attempts(5)
}
