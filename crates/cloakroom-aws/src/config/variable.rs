//! Variables, and functions that read them.

/// Function that looks up a variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Looks up a variable in the process's environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Error of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("set {name} to {want}: it is {found}")]
pub struct ConfigError {
    /// Name of the variable.
    pub name: &'static str,
    /// Required value.
    pub want: &'static str,
    /// Current value, or `not set`.
    pub found: String,
}

pub(super) fn required<T>(
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

/// Reads an optional variable. An empty one counts as unset, because templates can't omit a variable.
pub(super) fn optional<T>(
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

/// Parses a number within limits.
pub(super) fn within<T: std::str::FromStr + PartialOrd>(
    text: &str,
    least: T,
    most: T,
) -> Option<T> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
}

/// Returns the text after `http://` or `https://`, if it is not empty.
pub(super) fn after_scheme(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    (!rest.is_empty() && !rest.starts_with('/')).then_some(rest)
}
