//! Faults of a deployment, and the doctor's findings for them.

use cloakroom_tests::Target;

use crate::patient::{KINDS, Patient};

type Change = Box<dyn Fn(&Patient)>;

pub(crate) struct Ailment {
    pub(crate) name: &'static str,
    pub(crate) inflict: Change,
    /// Checks whose state changes, and their new states, in alphabetical order.
    pub(crate) found: Vec<(&'static str, &'static str)>,
    /// Cleanup after the fix, if the fault leaves something behind.
    pub(crate) afterwards: Change,
}

fn ailment(
    name: &'static str,
    found: &[(&'static str, &'static str)],
    inflict: impl Fn(&Patient) + 'static,
) -> Ailment {
    Ailment {
        name,
        inflict: Box::new(inflict),
        found: found.to_vec(),
        afterwards: Box::new(|_| {}),
    }
}

/// Returns a change that runs a command line with `TABLE`, `BUCKET`, `QUEUE`, `LISTS` and `WORKER` replaced.
fn run(line: &'static str) -> impl Fn(&Patient) {
    move |patient| {
        let mut text = line.to_owned();
        let all = [
            ("TABLE", &patient.table),
            ("BUCKET", &patient.bucket),
            ("QUEUE", &patient.queue),
            ("LISTS", &patient.lists),
        ];
        for (word, name) in all {
            text = text.replace(word, name);
        }
        patient.shell(&text.replace("WORKER", &patient.function("worker")));
    }
}

/// Returns a change that replaces `MAPPING`: the mapping of a function whose source's ARN contains `source`.
fn run_of(kind: &'static str, source: &'static str, line: &'static str) -> impl Fn(&Patient) {
    move |patient| _ = patient.shell(&line.replace("MAPPING", &patient.mapping(kind, source)))
}

impl Ailment {
    fn then(self, afterwards: impl Fn(&Patient) + 'static) -> Self {
        Self {
            afterwards: Box::new(afterwards),
            ..self
        }
    }
}

/// Returns the name of a check with the name of a function. It lives as long as the test.
fn of(patient: &Patient, kind: &str, check: &str) -> &'static str {
    format!("functions {}: {check}", patient.function(kind)).leak()
}

/// Sets a table, bucket or queue in the variables of all functions that have it.
fn led_to(patient: &Patient, variable: &str, value: &str) {
    for kind in KINDS {
        if patient.variables(kind).get(variable).is_some() {
            patient.set(kind, variable, Some(value));
        }
    }
}

pub(crate) fn all(patient: &Patient) -> Vec<Ailment> {
    let mut all = variables(patient);
    all.extend(functions(patient));
    all.extend(queues());
    all.extend(lists());
    all.extend(mappings());
    all.extend(tables(patient));
    all.extend(buckets(patient));
    all
}

fn variables(patient: &Patient) -> Vec<Ailment> {
    let wrong = |kind: &'static str, variable: &'static str, value: Option<&'static str>| {
        let found = [(of(patient, kind, "variables"), "fail")];
        ailment("a variable that is missing or wrong", &found, move |it| {
            it.set(kind, variable, value);
        })
    };
    let differs = |kind: &'static str, variable: &'static str, value: &'static str| {
        let found = [(&*format!("functions all: {variable}").leak(), "fail")];
        ailment("a variable that differs", &found, move |it| {
            it.set(kind, variable, Some(value));
        })
    };
    vec![
        wrong("submit", "CLOAKROOM_TABLE", None),
        wrong("worker", "CLOAKROOM_BUCKET", None),
        wrong("submit", "CLOAKROOM_QUEUE_URL", Some("work")),
        wrong("status", "CLOAKROOM_NAMESPACE", Some("it's `mine`")),
        wrong("worker", "CLOAKROOM_LEASE_SECONDS", Some("soon")),
        wrong("submit", "CLOAKROOM_INLINE_LIMIT_BYTES", Some("1 MB")),
        wrong("status", "CLOAKROOM_CORS_ORIGINS", Some("everywhere")),
        wrong("status", "CLOAKROOM_PUBLIC_BASE_URL", Some("v1")),
        wrong("worker", "CLOAKROOM_DIAGNOSTICS", Some("maybe")),
        wrong("submit", "CLOAKROOM_AUTHORIZER", Some("cognito")),
        wrong("dead-letters", "CLOAKROOM_DEAD_LETTERS_URL", None),
        wrong("dead-letters", "CLOAKROOM_BUCKET", None),
        wrong("sweeper", "CLOAKROOM_QUEUE_URL", Some("work")),
        wrong("sweeper", "CLOAKROOM_LISTS_URL", None),
        wrong("publisher", "CLOAKROOM_DELIVERIES_URL", None),
        wrong("deliver", "CLOAKROOM_KEYS_SECRET", None),
        differs("status", "CLOAKROOM_TABLE", "another-table"),
        differs("sweeper", "CLOAKROOM_TABLE", "another-table"),
        differs("dead-letters", "CLOAKROOM_BUCKET", "another-bucket"),
        differs("sweeper", "CLOAKROOM_SERVICE", "another-service"),
        differs("worker", "CLOAKROOM_BUCKET", "another-bucket"),
        differs(
            "worker",
            "CLOAKROOM_QUEUE_URL",
            "http://localhost/000000000000/another-queue",
        ),
        differs("submit", "CLOAKROOM_TENANT_CLAIM", "custom:tenant"),
        differs("status", "CLOAKROOM_TOKEN_AUDIENCE", "another-client"),
        wrong("status", "CLOAKROOM_LONGEST_WAIT_SECONDS", Some("long")),
        differs(
            "status",
            "CLOAKROOM_NAMESPACE",
            "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a11",
        ),
    ]
}

fn functions(patient: &Patient) -> Vec<Ailment> {
    let timed = |kind: &'static str, state| {
        let set = move |it: &Patient| {
            let function = it.function(kind);
            it.shell(&format!(
                "aws lambda update-function-configuration --function-name {function} --timeout 3"
            ));
        };
        ailment(
            "a function that is ended too soon",
            &[(of(patient, kind, "timeout"), state)],
            set,
        )
    };
    let lease = [(of(patient, "worker", "lease"), "warn")];
    vec![
        timed("worker", "fail"),
        timed("submit", "warn"),
        timed("status", "warn"),
        timed("events", "warn"),
        ailment("a lease longer than the function lives", &lease, |it| {
            it.set("worker", "CLOAKROOM_LEASE_SECONDS", Some("900"));
        }),
    ]
}

fn queues() -> Vec<Ailment> {
    let mut all = vec![
        ailment(
            "a visibility timeout shorter than the worker's",
            &[("queue visibility timeout", "fail")],
            run("aws sqs set-queue-attributes --queue-url QUEUE --attributes VisibilityTimeout=5"),
        ),
        ailment(
            "a visibility timeout shorter than is advised",
            &[("queue visibility timeout", "warn")],
            run(
                "aws sqs set-queue-attributes --queue-url QUEUE --attributes VisibilityTimeout=$(aws lambda get-function-configuration --function-name WORKER --query Timeout --output text)",
            ),
        ),
        ailment(
            "a retention shorter than a job may wait",
            &[("queue message retention", "fail")],
            run(
                "aws sqs set-queue-attributes --queue-url QUEUE --attributes MessageRetentionPeriod=3600",
            ),
        ),
        ailment(
            "no redrive policy",
            &[("queue redrive policy", "fail")],
            |it| {
                it.shell(&format!(
                "aws sqs set-queue-attributes --queue-url {} --attributes '{{\"RedrivePolicy\":\"\"}}'",
                it.queue
            ));
            },
        ),
        ailment(
            "dead letters that are looked after where they are not",
            &[("queue dead letters: CLOAKROOM_DEAD_LETTERS_URL", "fail")],
            |it| {
                it.set(
                    "dead-letters",
                    "CLOAKROOM_DEAD_LETTERS_URL",
                    Some(&it.queue),
                );
            },
        ),
        ailment(
            "dead letters that are kept for an hour",
            &[("queue dead letters", "fail")],
            |it| {
                let dead = it.dead_letters();
                it.shell(&format!(
                "aws sqs set-queue-attributes --queue-url {dead} --attributes MessageRetentionPeriod=3600"
            ));
            },
        ),
    ];
    for (receipts, state) in [(2, "fail"), (4, "warn")] {
        all.push(ailment("too few receipts", &[("queue receive count", state)], move |it| {
            let dead = it.dead_letters();
            let arn = it.shell(&format!(
                "aws sqs get-queue-attributes --queue-url {dead} --attribute-names QueueArn --query Attributes.QueueArn --output text"
            ));
            let policy = format!(r#"{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"{receipts}\"}}"#);
            let queue = &it.queue;
            it.shell(&format!("aws sqs set-queue-attributes --queue-url {queue} --attributes '{{\"RedrivePolicy\":\"{policy}\"}}'"));
        }));
    }
    let other = |it: &Patient| format!("{}-nowhere", it.queue);
    let found = [("mapping queue to worker", "fail"), ("queue name", "fail")];
    let led = ailment("no queue", &found, move |it| {
        led_to(it, "CLOAKROOM_QUEUE_URL", &other(it));
    });
    all.push(led.then(move |it| {
        led_to(it, "CLOAKROOM_QUEUE_URL", &it.queue);
        it.unmap("worker", "-nowhere");
        it.shell(&format!("aws sqs delete-queue --queue-url {}", other(it)));
    }));
    // Last, because AWS takes a minute until the name can be used again.
    all.push(ailment(
        "dead letters that have nowhere to go",
        &[("queue dead letters", "fail")],
        |it| {
            let dead = it.dead_letters();
            it.shell(&format!("aws sqs delete-queue --queue-url {dead}"));
            if it.is_real() {
                std::thread::sleep(std::time::Duration::from_secs(65));
            }
        },
    ));
    all
}

fn lists() -> Vec<Ailment> {
    let nowhere = |it: &Patient| format!("{}-nowhere", it.lists);
    vec![
        ailment(
            "lists that come back while they are looked at",
            &[("lists visibility timeout", "fail")],
            run("aws sqs set-queue-attributes --queue-url LISTS --attributes VisibilityTimeout=5"),
        ),
        ailment(
            "lists that become dead letters",
            &[("lists redrive policy", "fail")],
            |it| {
                let dead = it.dead_letters();
                let arn = it.shell(&format!(
                "aws sqs get-queue-attributes --queue-url {dead} --attribute-names QueueArn --query Attributes.QueueArn --output text"
            ));
                let policy =
                    format!(r#"{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"10\"}}"#);
                let lists = &it.lists;
                it.shell(&format!(
                "aws sqs set-queue-attributes --queue-url {lists} --attributes '{{\"RedrivePolicy\":\"{policy}\"}}'"
            ));
            },
        ),
        ailment(
            "no queue of lists",
            &[("lists name", "fail"), ("mapping lists to sweeper", "fail")],
            move |it| {
                led_to(it, "CLOAKROOM_LISTS_URL", &nowhere(it));
            },
        )
        .then(move |it| {
            led_to(it, "CLOAKROOM_LISTS_URL", &it.lists);
            it.unmap("sweeper", "-nowhere");
            it.shell(&format!("aws sqs delete-queue --queue-url {}", nowhere(it)));
        }),
    ]
}

fn mappings() -> Vec<Ailment> {
    // Name in the check, reader, and a part of the source's ARN.
    let links = [
        ("queue to worker", "worker", ":sqs:"),
        ("dead letters to dead-letters", "dead-letters", ":sqs:"),
        ("lists to sweeper", "sweeper", ":sqs:"),
        ("stream to sweeper", "sweeper", ":dynamodb:"),
        ("stream to publisher", "publisher", ":dynamodb:"),
        ("deliveries to deliver", "deliver", ":sqs:"),
    ];
    let named =
        |link: &str, check: &str| -> &'static str { format!("mapping {link}{check}").leak() };
    let mut all = vec![];
    for (link, kind, source) in links {
        let state = named(link, ": state");
        let off = ailment(
            "a mapping that is off",
            &[(state, "fail")],
            // Disabling takes some time, during which the mapping can't be enabled.
            run_of(
                kind,
                source,
                "aws lambda update-event-source-mapping --uuid MAPPING --no-enabled
                until [ \"$(aws lambda get-event-source-mapping --uuid MAPPING --query State --output text)\" = Disabled ]
                do sleep 1; done",
            ),
        );
        all.push(off.then(move |it| {
            if it.on == Target::LocalStack {
                it.untrue.borrow_mut().insert(state);
            }
        }));
        if source == ":sqs:" {
            all.push(ailment(
                "failures that are not reported",
                &[(named(link, ": ReportBatchItemFailures"), "fail")],
                run_of(
                    kind,
                    source,
                    "aws lambda update-event-source-mapping --uuid MAPPING --function-response-types '[]'",
                ),
            ));
        }
    }
    let changed = |name, check: &str, state, line| {
        let set = run_of("sweeper", ":dynamodb:", line);
        ailment(name, &[(named("stream to sweeper", check), state)], set)
    };
    all.extend([
        ailment(
            "no bound on workers",
            &[("mapping queue to worker: maximum concurrency", "warn")],
            run_of("worker", ":sqs:", "aws lambda update-event-source-mapping --uuid MAPPING --scaling-config '{}'"),
        ),
        ailment(
            "workers that leave nothing to the other functions",
            &[("concurrency left by the workers", "warn")],
            run_of(
                "worker",
                ":sqs:",
                "aws lambda update-event-source-mapping --uuid MAPPING --scaling-config MaximumConcurrency=1000",
            ),
        ),
        changed(
            "a filter that keeps back what was accepted",
            ": filter",
            "fail",
            r#"aws lambda update-event-source-mapping --uuid MAPPING --filter-criteria '{"Filters":[{"Pattern":"{\"dynamodb\":{\"NewImage\":{\"status\":{\"S\":[\"running\"]}}}}"}]}'"#,
        ),
        changed(
            "no filter",
            ": filter",
            "warn",
            "aws lambda update-event-source-mapping --uuid MAPPING --filter-criteria '{}'",
        ),
        changed(
            "batches that fail whole",
            ": BisectBatchOnFunctionError",
            "warn",
            "aws lambda update-event-source-mapping --uuid MAPPING --no-bisect-batch-on-function-error",
        ),
    ]);
    for (link, kind, source) in links {
        all.push(ailment(
            "no mapping",
            &[(named(link, ""), "fail")],
            move |it| it.unmap(kind, source),
        ));
    }
    let last = all.pop().expect("there is one");
    all.push(last.then(|it| it.untrue.borrow_mut().clear()));
    all
}

fn tables(patient: &Patient) -> Vec<Ailment> {
    let away = |patient: &Patient, others: &[&str]| {
        led_to(patient, "CLOAKROOM_TABLE", &patient.table);
        for other in others {
            patient.unmap("sweeper", &format!(":table/{other}/"));
            patient.unmap("publisher", &format!(":table/{other}/"));
            patient.shell(&format!("aws dynamodb delete-table --table-name {other}"));
        }
    };
    let mut all = vec![
        ailment(
            "no stream",
            &[("table stream", "fail")],
            run("aws dynamodb update-table --table-name TABLE --stream-specification StreamEnabled=false"),
        ),
        ailment(
            "no way back",
            &[("table point-in-time recovery", "warn")],
            run("aws dynamodb update-continuous-backups --table-name TABLE --point-in-time-recovery-specification PointInTimeRecoveryEnabled=false"),
        ),
        ailment("no table", &[("table name", "fail")], |it| {
            led_to(it, "CLOAKROOM_TABLE", &format!("{}-nowhere", it.stack));
        })
        .then(move |it| away(it, &[&format!("{}-nowhere", it.stack)])),
        ailment("a table with another key", &[("mapping stream to publisher", "fail"), ("mapping stream to sweeper", "fail"), ("table key schema", "fail")], |it| {
            let other = format!("{}-sorted", it.stack);
            it.shell(&format!(
                "aws dynamodb create-table --table-name {other} --billing-mode PAY_PER_REQUEST \
                 --attribute-definitions AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=S \
                 --key-schema AttributeName=pk,KeyType=HASH AttributeName=sk,KeyType=RANGE \
                 --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES \
                 && aws dynamodb wait table-exists --table-name {other} \
                 && aws dynamodb update-time-to-live --table-name {other} --time-to-live-specification Enabled=true,AttributeName=expires_at \
                 && aws dynamodb update-continuous-backups --table-name {other} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
            ));
            led_to(it, "CLOAKROOM_TABLE", &other);
        })
        .then(move |it| away(it, &[&format!("{}-sorted", it.stack), &format!("{}-sorted-pk", it.stack)])),
    ];
    // AWS allows one change per hour.
    if !patient.is_real() {
        all.push(ailment(
            "no time to live",
            &[("table time to live", "fail")],
            run("aws dynamodb update-time-to-live --table-name TABLE --time-to-live-specification Enabled=false,AttributeName=expires_at"),
        ));
    }
    all
}

fn buckets(patient: &Patient) -> Vec<Ailment> {
    let nowhere: &'static str = format!(
        "{}-nowhere-{:x}",
        patient.stack.to_lowercase(),
        std::process::id()
    )
    .leak();
    let early = r#"{"Rules":[
        {"ID":"payloads","Status":"Enabled","Filter":{"Prefix":"payloads/"},"Expiration":{"Days":1}},
        {"ID":"results-2d","Status":"Enabled","Filter":{"Prefix":"results/2d/"},"Expiration":{"Days":2}},
        {"ID":"uploads","Status":"Enabled","Filter":{"Prefix":"uploads/"},"Expiration":{"Days":1}},
        {"ID":"unfinished","Status":"Enabled","Filter":{"Prefix":""},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}},
        {"ID":"somebody'\''s","Status":"Enabled","Filter":{"Prefix":"other/"},"Expiration":{"Days":9}}]}"#;
    let put = format!(
        "aws s3api put-bucket-lifecycle-configuration --bucket BUCKET --lifecycle-configuration '{early}'"
    );
    vec![
        ailment(
            "a bucket that may be opened",
            &[("bucket public access", "fail")],
            run("aws s3api delete-public-access-block --bucket BUCKET"),
        ),
        ailment(
            "a bucket that may be opened by a policy",
            &[("bucket public access", "fail")],
            run(
                "aws s3api put-public-access-block --bucket BUCKET --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=true",
            ),
        ),
        ailment(
            "payloads that are deleted too early",
            &[("bucket lifecycle of payloads/", "fail")],
            run(put.leak()),
        )
        .then(|it| {
            let query = "--query 'Rules[?Expiration.Days==`9`].ID' --output text";
            let kept = it.shell(&format!(
                "aws s3api get-bucket-lifecycle-configuration --bucket {} {query}",
                it.bucket
            ));
            assert_eq!(kept, "somebody's", "a rule about something else is kept");
        }),
        ailment(
            "a bucket that keeps everything for ever",
            &[
                ("bucket lifecycle of payloads/", "fail"),
                ("bucket lifecycle of results/2d/", "fail"),
                ("bucket lifecycle of unfinished uploads", "warn"),
                ("bucket lifecycle of uploads/", "fail"),
            ],
            run("aws s3api delete-bucket-lifecycle --bucket BUCKET"),
        ),
        ailment("no bucket", &[("bucket name", "fail")], |it| {
            led_to(it, "CLOAKROOM_BUCKET", nowhere);
        })
        .then(move |it| {
            led_to(it, "CLOAKROOM_BUCKET", &it.bucket);
            it.shell(&format!("aws s3api delete-bucket --bucket {nowhere}"));
        }),
    ]
}
