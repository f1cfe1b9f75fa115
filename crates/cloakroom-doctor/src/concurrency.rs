//! Checks of the account's concurrent executions, which all of its functions share.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_account_settings::GetAccountSettingsOutput;
use aws_sdk_lambda::types::AccountLimit;

use crate::answer::{Answer, Call, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::mapping::{Workers, bounded};

const SUBJECT: &str = "concurrency";

/// Default quota of AWS. New accounts start with a lower one.
const USUAL: i32 = 1000;

/// Executions that the other functions need while all workers are busy.
const LEFT: i32 = 100;

/// Limits of the account in this region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Maximum number of concurrent executions.
    pub(crate) quota: i32,
    /// Executions that no function reserves.
    pub(crate) unreserved: i32,
}

// MiniStack interprets the path of the call as the name of a function.
const GET: Call = Call {
    action: "lambda:GetAccountSettings",
    absent: &["ResourceNotFoundException"],
};

pub(crate) async fn ask(client: &Client) -> Result<Answer<Account>, Stop> {
    Ok(Answer::from_result(GET, client.get_account_settings().send().await)?.map(|got| read(&got)))
}

fn read(got: &GetAccountSettingsOutput) -> Account {
    let limit = got.account_limit();
    let quota = limit.map_or(0, AccountLimit::concurrent_executions);
    Account {
        quota,
        unreserved: limit
            .and_then(AccountLimit::unreserved_concurrent_executions)
            .unwrap_or(quota),
    }
}

/// Checks the account's quota, and the part that busy workers leave. `workers` is the mapping that limits them.
pub(crate) fn judge(
    account: &Answer<Account>,
    workers: Option<Workers<'_>>,
    aws: &Aws,
) -> Vec<Finding> {
    let quota = check(SUBJECT, "account quota");
    let account = match account.or_finding(quota.clone()) {
        Ok(Some(account)) => account,
        Ok(None) => return vec![quota.skip("not checked: the service does not support this call")],
        Err(finding) => return vec![finding],
    };
    let raise = || {
        let (code, wanted) = ("L-B99A9384", USUAL.to_string());
        let words = [
            "service-quotas",
            "request-service-quota-increase",
            "--service-code",
            "lambda",
            "--quota-code",
            code,
        ];
        aws.run(&[&words[..], &["--desired-value", &wanted]].concat())
    };
    let mut findings = vec![if account.quota < USUAL {
        let why = "long polls and a burst of jobs use up all executions: submit and status respond with 503, and each \
                   throttled message comes closer to the dead letters";
        quota
            .warn(
                format!("{}, and the default quota of AWS is {USUAL}", account.quota),
                why,
            )
            .fixed_by(raise())
    } else {
        quota.ok(account.quota.to_string())
    }];
    let Some(workers) = workers else {
        return findings;
    };
    let check = check(SUBJECT, "left by the workers");
    let left = account.unreserved - workers.concurrency;
    findings.push(if left >= LEFT {
        check.ok(left.to_string())
    } else {
        let found = format!("{left} of {}, if {} workers are busy", account.unreserved, workers.concurrency);
        let why = "submit and status are throttled while the queue is long, unless executions are reserved for them";
        let fewer = account.unreserved - LEFT;
        let finding = check.warn(found, why);
        // Lambda's minimum is two.
        finding.fixed_by(if fewer < 2 { raise() } else { bounded(workers, fewer, aws) })
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::somewhere;
    use crate::finding::State;

    /// Returns the state and the command of both findings.
    fn judged(quota: i32, unreserved: i32, concurrency: i32) -> [(State, String); 2] {
        let account = Answer::Is(Account { quota, unreserved });
        let findings = judge(
            &account,
            Some(Workers {
                uuid: "u",
                concurrency,
            }),
            &somewhere(),
        );
        let all: Vec<_> = findings
            .into_iter()
            .map(|it| (it.state, it.fix.unwrap_or_default()))
            .collect();
        all.try_into().expect("two findings")
    }

    #[test]
    fn the_usual_quota_is_fine_for_the_template() {
        let none = String::new();
        assert_eq!(
            judged(1000, 1000, 10),
            [(State::Ok, none.clone()), (State::Ok, none)]
        );
    }

    #[test]
    fn the_quota_of_a_new_account_is_warned_of() {
        let [(state, fix), (left, raise)] = judged(10, 10, 10);
        assert_eq!((state, left), (State::Warn, State::Warn));
        assert!(
            fix.starts_with("aws service-quotas request-service-quota-increase"),
            "{fix}"
        );
        assert_eq!(fix, raise, "no bound of the workers is low enough");
    }

    #[test]
    fn workers_that_leave_nothing_to_the_others_are_warned_of() {
        for (unreserved, workers, fewer) in [(1000, 1000, 900), (1000, 901, 900), (300, 250, 200)] {
            let [_, (state, fix)] = judged(1000, unreserved, workers);
            assert_eq!(state, State::Warn);
            assert!(
                fix.contains(&format!(
                    "--uuid u --scaling-config MaximumConcurrency={fewer} "
                )),
                "{fix}"
            );
        }
        assert_eq!(judged(1000, 1000, 900)[1].0, State::Ok);
    }

    #[test]
    fn what_can_not_be_asked_is_said() {
        let state = |answer| judge(&answer, None, &somewhere()).remove(0).state;
        assert_eq!(
            state(Answer::Unknown("lambda:GetAccountSettings")),
            State::Skip
        );
        assert_eq!(
            state(Answer::Denied("lambda:GetAccountSettings", "no".to_owned())),
            State::Fail
        );
    }
}
