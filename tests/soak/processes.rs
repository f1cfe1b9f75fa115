//! Kills the functions' processes on this machine.

use std::collections::BTreeMap;
use std::fs;

use tokio::process::Command;
use tokio::sync::watch;

use crate::plan::Dice;

/// Percentage of kills per function.
const TARGETS: [(&str, u64); 5] = [
    ("worker", 80),
    ("submit", 6),
    ("status", 4),
    ("dead-letters", 5),
    ("sweeper", 5),
];

/// Purpose of the random numbers for kills, distinct from those of clients and faults.
const PURPOSE: u64 = 1 << 40;

/// Number of killed processes by function.
pub(crate) type Killed = BTreeMap<&'static str, u64>;

/// Kills a process whenever `every` more jobs on average were accepted, until it is stopped.
pub(crate) async fn kill(
    proxy: String,
    seed: u64,
    every: u64,
    mut accepted: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) -> Killed {
    let (mut dice, mut next, mut killed) = (Dice::new(seed, PURPOSE), 0, Killed::new());
    loop {
        next += 1 + dice.below(2 * every);
        tokio::select! {
            reached = accepted.wait_for(|&now| now >= next) => {
                reached.expect("clients outlive the killer");
            }
            _ = stop.wait_for(|&stop| stop) => return killed,
        }
        let mut drawn = dice.below(100);
        let (target, _) = TARGETS
            .into_iter()
            .find(|(_, share)| {
                let hit = drawn < *share;
                drawn = drawn.saturating_sub(*share);
                hit
            })
            .expect("they make a hundred");
        let found = processes(&proxy, target);
        let Some(pid) = found.get(usize::try_from(dice.below(found.len() as u64)).unwrap_or(0))
        else {
            continue;
        };
        let ended = Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .await
            .expect("there is a kill");
        *killed.entry(target).or_default() += u64::from(ended.success());
    }
}

/// Returns the processes of a function that use our proxy, according to their environment.
fn processes(proxy: &str, function: &str) -> Vec<u32> {
    let listed = fs::read_dir("/proc")
        .expect("the functions' processes are found in /proc, as Linux has it");
    let pids = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = |pid: &u32| {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        let variables: Vec<_> = environment
            .split(|&byte| byte == 0)
            .map(String::from_utf8_lossy)
            .collect();
        let named = |name: &str, test: &dyn Fn(&str) -> bool| {
            variables.iter().any(|it| {
                it.split_once('=')
                    .is_some_and(|(its, value)| its == name && test(value))
            })
        };
        named("AWS_ENDPOINT_URL_SQS", &|value| value == proxy)
            && named("AWS_LAMBDA_FUNCTION_NAME", &|value| {
                value.ends_with(&format!("-{function}"))
            })
    };
    pids.filter(ours).collect()
}
