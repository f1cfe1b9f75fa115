//! Configuration, from variables. Each function reads what it needs, and nothing else.
//!
//! The variables come through a function, so that a test needs no process environment of its own.

use std::time::Duration;

use cloakroom_app::intake::ProducerTenants;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;
use cloakroom_core::Namespace;
use uuid::Uuid;

/// How a variable is looked up.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Looks a variable up in the process's environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("set {name} to {want}: it is {found}")]
pub struct ConfigError {
    /// Which variable.
    pub name: &'static str,
    /// What it should be.
    pub want: &'static str,
    /// What it is.
    pub found: String,
}

/// What accepting commands needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_NAMESPACE`
    pub namespace: Namespace,
    /// `CLOAKROOM_INLINE_LIMIT_BYTES`
    pub inline_limit: usize,
    /// Who sends messages much later; `None` where the queue alone does.
    pub schedule: Option<ScheduleConfig>,
    /// `CLOAKROOM_DIAGNOSTICS`: whether the diagnostic command is served.
    pub diagnostics: bool,
}

/// What sending messages much later needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// `CLOAKROOM_SCHEDULE_GROUP`: the group of `EventBridge` Scheduler that schedules are made in.
    pub group: String,
    /// `CLOAKROOM_SCHEDULE_ROLE_ARN`: whose rights it sends by.
    pub role_arn: String,
    /// `CLOAKROOM_SCHEDULE_QUEUE_ARN`: the queue of commands, as it knows it.
    pub queue_arn: String,
}

impl SubmitConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            bucket: bucket(lookup)?,
            namespace: namespace(lookup)?,
            inline_limit: inline_limit(lookup)?,
            schedule: schedule(lookup)?,
            diagnostics: diagnostics(lookup)?,
        })
    }
}

/// What doing the work needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// The lease is `CLOAKROOM_LEASE_SECONDS`.
    pub settings: WorkerSettings,
    /// `CLOAKROOM_DIAGNOSTICS`: whether the diagnostic command is served.
    pub diagnostics: bool,
    /// What letting producers in needs; `None` where they are not.
    pub producers: Option<ProducersConfig>,
    /// Bytes that all attempts of the process may need together: of `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets, less
    /// what the process needs for itself. `None` is no limit.
    pub memory: Option<u64>,
}

/// What accepting the commands of producers needs: of programs that send to the queue themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducersConfig {
    /// `CLOAKROOM_PRODUCERS`: whose jobs they are; `*` where each message names its tenant.
    pub tenants: ProducerTenants,
    /// `CLOAKROOM_PRODUCER_BUCKETS`: where they may keep payloads.
    pub buckets: Vec<String>,
    /// `CLOAKROOM_NAMESPACE`, as submit has it.
    pub namespace: Namespace,
    /// `CLOAKROOM_INLINE_LIMIT_BYTES`
    pub inline_limit: usize,
}

impl WorkerConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            bucket: bucket(lookup)?,
            settings: WorkerSettings {
                lease: lease(lookup)?,
                ..WorkerSettings::default()
            },
            diagnostics: diagnostics(lookup)?,
            producers: producers(lookup)?,
            memory: memory(lookup)?,
        })
    }
}

/// What ending the jobs of dead letters needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLettersConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_DEAD_LETTERS_URL`
    pub dead_letters_url: String,
}

impl DeadLettersConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let dead_letters_url = url_of_queue(lookup, "CLOAKROOM_DEAD_LETTERS_URL")?;
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            dead_letters_url,
        })
    }
}

/// What ending abandoned jobs needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweeperConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_QUEUE_URL`
    pub queue_url: String,
    /// `CLOAKROOM_LISTS_URL`: the sweeper's own queue.
    pub lists_url: String,
}

impl SweeperConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let lists_url = url_of_queue(lookup, "CLOAKROOM_LISTS_URL")?;
        Ok(Self {
            table: table(lookup)?,
            queue_url: queue_url(lookup)?,
            lists_url,
        })
    }
}

/// What polling, finding and cancelling jobs needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// `CLOAKROOM_TABLE`
    pub table: String,
    /// `CLOAKROOM_BUCKET`
    pub bucket: String,
    /// `CLOAKROOM_NAMESPACE`
    pub namespace: Namespace,
}

impl JobsConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            table: table(lookup)?,
            bucket: bucket(lookup)?,
            namespace: namespace(lookup)?,
        })
    }
}

/// What counting needs. All of it has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterConfig {
    /// `CLOAKROOM_SERVICE`: whose metrics they are.
    pub service: String,
    /// `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets: the least level of a line that it lets into the log, in capitals.
    pub level: String,
}

impl MeterConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let level = lookup("AWS_LAMBDA_LOG_LEVEL").filter(|level| !level.is_empty());
        let level = level.map_or_else(|| "INFO".to_owned(), |level| level.to_ascii_uppercase());
        Ok(Self {
            service: service(lookup)?,
            level,
        })
    }
}

/// What is common to everything that answers HTTP. All of it has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// `CLOAKROOM_PUBLIC_BASE_URL`: the path of it, empty or as in `/v1`, under which clients find the API.
    pub base_path: String,
    /// `CLOAKROOM_CORS_ORIGINS`: whose pages may call the API.
    pub cors: CorsOrigins,
    /// `CLOAKROOM_AUTHORIZER`: by what the gateway in front knows its callers.
    pub authorizer: Authorizer,
    /// `CLOAKROOM_TENANT_CLAIM`: which claim of a token names the tenant.
    pub tenant_claim: String,
    /// `CLOAKROOM_TOKEN_AUDIENCE`: ids of the app clients whose tokens are accepted. Empty accepts every token that the gateway does.
    pub token_audience: Vec<String>,
    /// `CLOAKROOM_LONGEST_WAIT_SECONDS`: how long a response is held at most.
    pub longest_wait: Duration,
}

/// The claim that names the tenant where nothing else is said: the user.
pub const TENANT_CLAIM: &str = "sub";

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            base_path: String::new(),
            cors: CorsOrigins::default(),
            authorizer: Authorizer::default(),
            tenant_claim: TENANT_CLAIM.to_owned(),
            token_audience: vec![],
            longest_wait: cloakroom_app::jobs::LONGEST_WAIT,
        }
    }
}

/// By what the gateway in front knows its callers. With any but the first, a request of nobody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorizer {
    /// It asks nobody: whoever is not named all the same is the tenant `default`.
    #[default]
    None,
    /// Requests are signed with AWS credentials.
    Iam,
    /// Requests carry a token of a user pool, or of another issuer.
    Jwt,
    /// Requests carry an API key.
    ApiKey,
    /// A Lambda authorizer, which the template does not make, names a principal.
    Custom,
}

impl Authorizer {
    const ALL: [Self; 5] = [Self::None, Self::Iam, Self::Jwt, Self::ApiKey, Self::Custom];

    /// As it is configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Iam => "iam",
            Self::Jwt => "jwt",
            Self::ApiKey => "api-key",
            Self::Custom => "custom",
        }
    }
}

/// Whose pages a browser lets call the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CorsOrigins {
    /// Only those of its own origin.
    #[default]
    Own,
    /// Anyone's.
    Any,
    /// Those of these origins, as in `https://app.example.com`.
    These(Vec<String>),
}

impl HttpConfig {
    /// Reads it.
    pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            base_path: base_path(lookup)?,
            cors: cors(lookup)?,
            authorizer: authorizer(lookup)?,
            tenant_claim: tenant_claim(lookup)?,
            token_audience: token_audience(lookup)?,
            longest_wait: longest_wait(lookup)?,
        })
    }
}

fn table(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    required(
        lookup,
        "CLOAKROOM_TABLE",
        "the name of the DynamoDB table",
        |text| Some(text.to_owned()),
    )
}

fn queue_url(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    url_of_queue(lookup, "CLOAKROOM_QUEUE_URL")
}

fn url_of_queue(lookup: Lookup<'_>, name: &'static str) -> Result<String, ConfigError> {
    required(lookup, name, "the http(s) URL of the SQS queue", |text| {
        after_scheme(text).map(|_| text.to_owned())
    })
}

fn bucket(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    required(
        lookup,
        "CLOAKROOM_BUCKET",
        "the name of the S3 bucket",
        |text| Some(text.to_owned()),
    )
}

fn namespace(lookup: Lookup<'_>) -> Result<Namespace, ConfigError> {
    let want =
        "a UUID that stays the same for the life of the deployment (job ids are derived from it)";
    required(lookup, "CLOAKROOM_NAMESPACE", want, |text| {
        Uuid::try_parse(text).ok().map(Namespace::from_uuid)
    })
}

fn inline_limit(lookup: Lookup<'_>) -> Result<usize, ConfigError> {
    let limit = optional(
        lookup,
        "CLOAKROOM_INLINE_LIMIT_BYTES",
        "a number of bytes from 0 to 1000000",
        |text| within(text, 0, 1_000_000),
    )?;
    Ok(limit.unwrap_or(INLINE_LIMIT))
}

fn schedule(lookup: Lookup<'_>) -> Result<Option<ScheduleConfig>, ConfigError> {
    let name = |text: &str| Some(text.to_owned());
    let Some(group) = optional(
        lookup,
        "CLOAKROOM_SCHEDULE_GROUP",
        "the name of the group of schedules",
        name,
    )?
    else {
        return Ok(None);
    };
    let arn = |name, want| {
        required(lookup, name, want, |text| {
            text.starts_with("arn:").then(|| text.to_owned())
        })
    };
    let role_arn = arn(
        "CLOAKROOM_SCHEDULE_ROLE_ARN",
        "the ARN of the role that schedules send messages by",
    )?;
    let queue_arn = arn("CLOAKROOM_SCHEDULE_QUEUE_ARN", "the ARN of the SQS queue")?;
    Ok(Some(ScheduleConfig {
        group,
        role_arn,
        queue_arn,
    }))
}

fn producers(lookup: Lookup<'_>) -> Result<Option<ProducersConfig>, ConfigError> {
    let want =
        "the tenant whose jobs producers' commands are, or * where each message names its tenant";
    let tenants = optional(lookup, "CLOAKROOM_PRODUCERS", want, |text| match text {
        "*" => Some(ProducerTenants::Named),
        name => name.parse().ok().map(ProducerTenants::One),
    })?;
    let Some(tenants) = tenants else {
        return Ok(None);
    };
    let bucket = bucket(lookup)?;
    let want = "names of S3 buckets with commas between them, and not the service's own";
    let buckets = optional(lookup, "CLOAKROOM_PRODUCER_BUCKETS", want, |text| {
        let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
        // Whoever points into ours reads what is another tenant's.
        names
            .iter()
            .all(|name| !name.is_empty() && *name != bucket)
            .then_some(names)
    })?;
    let (namespace, inline_limit) = (namespace(lookup)?, inline_limit(lookup)?);
    Ok(Some(ProducersConfig {
        tenants,
        buckets: buckets.unwrap_or_default(),
        namespace,
        inline_limit,
    }))
}

fn lease(lookup: Lookup<'_>) -> Result<Duration, ConfigError> {
    let seconds = optional(
        lookup,
        "CLOAKROOM_LEASE_SECONDS",
        "a number of seconds from 3 to 900",
        |text| within(text, 3, 900),
    )?;
    Ok(seconds.map_or(WorkerSettings::default().lease, Duration::from_secs))
}

/// The memory of the function, less an eighth and at least 64 MiB for the process itself.
fn memory(lookup: Lookup<'_>) -> Result<Option<u64>, ConfigError> {
    let whole = optional(
        lookup,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "the function's memory in MB",
        |text| within(text, 1_u64, 1_000_000),
    )?;
    Ok(whole.map(|mb| (mb - (mb / 8).max(64).min(mb / 2)) * 1024 * 1024))
}

fn base_path(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the URL under which clients find the API (https://api.example.com/v1), or the path of it (/v1)";
    let path = optional(lookup, "CLOAKROOM_PUBLIC_BASE_URL", want, |text| {
        let path = match after_scheme(text) {
            Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => text.starts_with('/').then_some(text)?,
        };
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b));
        // Two slashes at the start would make a link to another site of it.
        (plain && !path.starts_with("//")).then(|| path.trim_end_matches('/').to_owned())
    })?;
    Ok(path.unwrap_or_default())
}

fn service(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name that metrics are found under: 1 to 128 letters, digits, dots, hyphens and underscores";
    let service = optional(lookup, "CLOAKROOM_SERVICE", want, |text| {
        let good = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
            && text.len() <= 128;
        good.then(|| text.to_owned())
    })?;
    Ok(service.unwrap_or_else(|| "cloakroom".to_owned()))
}

fn diagnostics(lookup: Lookup<'_>) -> Result<bool, ConfigError> {
    let on = optional(
        lookup,
        "CLOAKROOM_DIAGNOSTICS",
        "on or off",
        |text| match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
    )?;
    Ok(on.unwrap_or(false))
}

fn cors(lookup: Lookup<'_>) -> Result<CorsOrigins, ConfigError> {
    let want = "*, or origins with commas between them (https://app.example.com, without a path)";
    let origins = optional(lookup, "CLOAKROOM_CORS_ORIGINS", want, |text| {
        if text == "*" {
            return Some(CorsOrigins::Any);
        }
        let origin = |text: &str| {
            let host = after_scheme(text)?;
            let plain = host
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"/?#\\\"<>@*,".contains(&b));
            plain.then(|| text.to_ascii_lowercase())
        };
        text.split(',')
            .map(|text| origin(text.trim()))
            .collect::<Option<_>>()
            .map(CorsOrigins::These)
    })?;
    Ok(origins.unwrap_or_default())
}

fn authorizer(lookup: Lookup<'_>) -> Result<Authorizer, ConfigError> {
    let authorizer = optional(
        lookup,
        "CLOAKROOM_AUTHORIZER",
        "none, iam, jwt, api-key or custom",
        |text| {
            Authorizer::ALL
                .into_iter()
                .find(|known| known.as_str() == text)
        },
    )?;
    Ok(authorizer.unwrap_or_default())
}

fn tenant_claim(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    let want = "the name of a claim, without spaces, as in custom:tenant";
    let claim = optional(lookup, "CLOAKROOM_TENANT_CLAIM", want, |text| {
        text.bytes()
            .all(|b| b.is_ascii_graphic())
            .then(|| text.to_owned())
    })?;
    Ok(claim.unwrap_or_else(|| TENANT_CLAIM.to_owned()))
}

fn token_audience(lookup: Lookup<'_>) -> Result<Vec<String>, ConfigError> {
    let want = "ids of app clients, with commas between them";
    let audience = optional(lookup, "CLOAKROOM_TOKEN_AUDIENCE", want, |text| {
        let ids: Vec<_> = text.split(',').map(|id| id.trim().to_owned()).collect();
        ids.iter()
            .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()))
            .then_some(ids)
    })?;
    Ok(audience.unwrap_or_default())
}

fn longest_wait(lookup: Lookup<'_>) -> Result<Duration, ConfigError> {
    let longest = cloakroom_app::jobs::LONGEST_WAIT;
    let seconds = optional(
        lookup,
        "CLOAKROOM_LONGEST_WAIT_SECONDS",
        "a number of seconds from 0 to 25",
        |text| within(text, 0, longest.as_secs()),
    )?;
    Ok(seconds.map_or(longest, Duration::from_secs))
}

/// What comes after `http://` or `https://`, if there is something.
fn after_scheme(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    (!rest.is_empty() && !rest.starts_with('/')).then_some(rest)
}

fn within<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
}

fn required<T>(
    lookup: Lookup<'_>,
    name: &'static str,
    want: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ConfigError> {
    optional(lookup, name, want, read)?.ok_or_else(|| ConfigError {
        name,
        want,
        found: "not set".into(),
    })
}

/// A variable that is set to nothing is one that is not set: templates can't leave one out.
fn optional<T>(
    lookup: Lookup<'_>,
    name: &'static str,
    want: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ConfigError> {
    let Some(text) = lookup(name) else {
        return Ok(None);
    };
    match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| ConfigError {
            name,
            want,
            found: format!("{text:?}"),
        }),
    }
}

#[cfg(test)]
mod tests;
