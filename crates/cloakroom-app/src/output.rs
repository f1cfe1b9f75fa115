//! Results of handlers.

use std::any::TypeId;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::handler::{HandlerError, Output};
use crate::payload::schema;

/// Return type of a handler: `Result<T, E>` with an [`IntoOutput`] and an error that converts to a [`HandlerError`].
pub trait IntoResult {
    /// Returns the JSON Schema of the result, if it is JSON of a known type.
    fn schema() -> Option<Value>;

    /// Converts the return value of a handler.
    ///
    /// # Errors
    /// Returns the handler's error.
    fn into_result(self) -> Result<Output, HandlerError>;
}

impl<T: IntoOutput, E: Into<HandlerError>> IntoResult for Result<T, E> {
    fn schema() -> Option<Value> {
        T::schema()
    }

    fn into_result(self) -> Result<Output, HandlerError> {
        self.map_err(Into::into)?.into_output()
    }
}

/// Result type of a handler: an [`Output`], `()` for no result, or any `Serialize + JsonSchema` type, which becomes
/// JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a handler",
    note = "derive `serde::Serialize` and `schemars::JsonSchema` for it, or return `Output`"
)]
pub trait IntoOutput: 'static {
    /// Returns the JSON Schema of the result, if it is JSON of a known type.
    fn schema() -> Option<Value>;

    /// Converts the result.
    ///
    /// # Errors
    /// Returns an error, which fails the job, if the value can't be serialized as JSON.
    fn into_output(self) -> Result<Output, HandlerError>;
}

impl IntoOutput for Output {
    fn schema() -> Option<Value> {
        None
    }

    fn into_output(self) -> Result<Output, HandlerError> {
        Ok(self)
    }
}

impl<T: Serialize + JsonSchema + 'static> IntoOutput for T {
    fn schema() -> Option<Value> {
        (!is_nothing::<T>()).then(schema::of::<T>)
    }

    fn into_output(self) -> Result<Output, HandlerError> {
        if is_nothing::<T>() {
            return Ok(Output::none());
        }
        Output::json(&self)
    }
}

fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}
