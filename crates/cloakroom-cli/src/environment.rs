//! Environment variables. Empty ones count as unset.

/// Restarts the program without its empty variables, if there are any.
///
/// Libraries read variables too: to the AWS SDK, an empty `AWS_REGION` is a region. The SDK accepts no other environment, and a
/// process can't safely change its own. So the same program replaces this one, with the same process id.
#[cfg(unix)]
pub(crate) fn drop_empty_variables() {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    let empty: Vec<_> = std::env::vars_os()
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| name)
        .collect();
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    if empty.is_empty() {
        return;
    }
    let mut again = Command::new(program);
    let mut args = std::env::args_os();
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    again.args(args);
    for name in empty {
        again.env_remove(name);
    }
    // It returns only with an error. The program then uses the variables as they are.
    let _ = again.exec();
}

/// Windows has no empty variables.
#[cfg(not(unix))]
pub(crate) fn drop_empty_variables() {}
