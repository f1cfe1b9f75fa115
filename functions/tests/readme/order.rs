use cloakroom::{Command, HandlerError, JobContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the client sends. Its JSON Schema is served in the OpenAPI document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
        // Another attempt would end the same: the job fails, and the client is told why.
        return Err(HandlerError::terminal("there is no such article")
            .code("no-such-article")
            .status(404));
    }
    job.progress(50.0, "counting");
    // `?` on any other error means: not this time. It is logged, and tried again with backoff.
    let price: u32 = "7".parse()?;
    Ok(Receipt {
        total: order.amount * price,
    })
}

pub fn command() -> Command {
    Command::json("order.place", place)
        .attempts(5)
        .timeout(std::time::Duration::from_secs(30))
        .key_required()
}
