//! Identity of the caller, as the gateway reports it. It determines the tenant of a request.
//!
//! | authorizer | tenant |
//! |---|---|
//! | `none` | the identity that a gateway reports anyway (`principalId`, or the claim); otherwise `default` |
//! | `iam` | the caller's unique id. For a role, without the session's name: all sessions of a role are one tenant. For credentials of an identity pool, the identity, because all of its users have one role |
//! | `jwt` | the configured claim, by default `sub` (the user). If app clients are configured, only of tokens for them |
//! | `api-key` | the id of the key, never the key itself |
//! | `custom` | the `principalId` of a Lambda authorizer |
//!
//! Only the identity from the configured authorizer counts. Requests without it are rejected and never belong to
//! `default`: a misconfigured gateway fails closed.

use axum::http::request::Parts;
use cloakroom_app::core::{Digest, Tenant};
use cloakroom_http::{Authorizer, HttpSettings};
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;

/// Rules that identify callers.
#[derive(Debug, Clone)]
pub(crate) struct Callers {
    authorizer: Authorizer,
    claim: String,
    /// Ids of the app clients whose tokens are accepted. If empty, all are.
    audience: Vec<String>,
}

impl Callers {
    pub(crate) fn new(settings: &HttpSettings) -> Self {
        let (claim, audience) = (
            settings.tenant_claim.clone(),
            settings.token_audience.clone(),
        );
        Self {
            authorizer: settings.authorizer,
            claim,
            audience,
        }
    }

    /// Returns the tenant of a request. `None` if the gateway should have identified the caller, but did not.
    pub(crate) fn tenant(&self, request: &Parts) -> Option<Tenant> {
        let name = request
            .request_context_ref()
            .and_then(|context| match self.authorizer {
                Authorizer::None => principal(context).or_else(|| claim(context, &self.claim)),
                Authorizer::Iam => signer(context),
                Authorizer::Jwt => self
                    .is_for_us(context)
                    .then(|| claim(context, &self.claim))
                    .flatten(),
                Authorizer::ApiKey => api_key_id(context),
                Authorizer::Custom => principal(context),
            });
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Some(tenant_of(name)),
            None => (self.authorizer == Authorizer::None).then(Tenant::default),
        }
    }
}

impl Callers {
    /// Returns true if a token is for one of the app clients. Id tokens contain theirs as `aud`, access tokens as
    /// `client_id`. An HTTP API formats a list as `[a b]`.
    fn is_for_us(&self, context: &RequestContext) -> bool {
        let named = claim(context, "aud")
            .or_else(|| claim(context, "client_id"))
            .unwrap_or_default();
        let mut named = named.trim_matches(['[', ']']).split_ascii_whitespace();
        self.audience.is_empty() || named.any(|id| self.audience.iter().any(|ours| ours == id))
    }
}

/// Returns the principal from a Lambda authorizer:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
fn principal(context: &RequestContext) -> Option<&str> {
    context.authorizer()?.fields.get("principalId")?.as_str()
}

/// Returns a claim of a token that the gateway has verified:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-enable-cognito-user-pool.html>
fn claim<'a>(context: &'a RequestContext, name: &str) -> Option<&'a str> {
    let authorizer = context.authorizer()?;
    if let Some(jwt) = &authorizer.jwt {
        return jwt.claims.get(name).map(String::as_str);
    }
    authorizer.fields.get("claims")?.get(name)?.as_str()
}

/// Returns the signer of the request:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>
fn signer(context: &RequestContext) -> Option<&str> {
    let (caller, identity) = match context {
        RequestContext::ApiGatewayV1(context) => (
            context.identity.caller.as_deref(),
            context.identity.cognito_identity_id.as_deref(),
        ),
        RequestContext::ApiGatewayV2(context) => {
            let iam = context.authorizer.as_ref()?.iam.as_ref()?;
            (
                iam.caller_id.as_deref(),
                iam.cognito_identity
                    .as_ref()
                    .and_then(|it| it.identity_id.as_deref()),
            )
        }
        _ => return None,
    };
    let caller = caller?;
    if let Some(identity) = identity.filter(|identity| !identity.is_empty()) {
        return Some(identity);
    }
    // For a role, `AROA…:session`. For a federated user `account:name`, in which the name is the identity.
    match caller.split_once(':') {
        Some((role, _session)) if role.starts_with("AROA") => Some(role),
        _ => Some(caller),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>
fn api_key_id(context: &RequestContext) -> Option<&str> {
    match context {
        RequestContext::ApiGatewayV1(context) => context.identity.api_key_id.as_deref(),
        // An HTTP API does not support API keys.
        _ => None,
    }
}

/// Returns the tenant for a name. An invalid name (too long, or with spaces) is replaced by its digest, so that names
/// stay distinct.
fn tenant_of(name: &str) -> Tenant {
    const DIGESTED: &str = "sha256:";
    match name.parse() {
        Ok(tenant) if !name.starts_with(DIGESTED) => tenant,
        _ => format!("{DIGESTED}{}", Digest::from_content(name.as_bytes()))
            .parse()
            .expect("a digest is short and visible ASCII"),
    }
}

#[cfg(test)]
mod tests;
