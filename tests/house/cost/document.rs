//! Checks that the commands in docs/cost.md print the documented output, and that its table matches the model.

use std::process::{Command, Output};

use cloakroom_cost::prices::{AS_OF, REGION, TABLE};
use cloakroom_tests::{program, root, template};
use serde_yaml_ng::Value;

fn document() -> String {
    std::fs::read_to_string(root().join("docs/cost.md")).expect("a document")
}

fn run(command: &str) -> Output {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("cloakroom"), "{command}");
    Command::new(program("demo"))
        .args(words)
        .output()
        .expect("the program runs")
}

fn printed(command: &str) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn its_examples_are_what_the_commands_print() {
    let document = document();
    let examples: Vec<_> = document.split("```console\n$ ").skip(1).collect();
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        let (command, rest) = example.split_once('\n').expect("a command");
        let said = rest.split_once("```").expect("its end").0;
        assert_eq!(said, printed(command), "{command}");
    }
}

#[test]
fn its_prices_are_those_that_are_reckoned_with() {
    let document = document();
    assert!(document.contains(&format!("{REGION}, {AS_OF}")));
    let rows: Vec<_> = document
        .lines()
        .filter(|line| line.contains("](https://aws.amazon.com/"))
        .collect();
    let price = |price: &cloakroom_cost::Price| {
        let cloakroom_cost::Price {
            service,
            of,
            dollars,
            per,
            source,
        } = price;
        format!(
            "| {service} | {of} | {dollars} per {} | [page]({source}) |",
            per.as_str()
        )
    };
    assert_eq!(rows, TABLE.iter().map(price).collect::<Vec<_>>());
}

#[test]
fn without_options_it_is_the_templates_deployment() {
    let template = template();
    let default = |name: &str| match &template["Parameters"][name]["Default"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    let lease =
        template["Mappings"]["WorkerTimes"][default("WorkerTimeout").as_str()]["Lease"].as_str();
    let command = format!(
        "cloakroom cost --json --duration 20s --memory {} --http-memory {} --architecture {} --lease {}s",
        default("WorkerMemory"),
        default("HttpMemory"),
        default("Architecture"),
        lease.expect("seconds"),
    );
    assert_eq!(
        printed(&command),
        printed("cloakroom cost --json --duration 20s")
    );
    assert_eq!(
        default("ObjectDays"),
        "3",
        "as objects are reckoned to be kept"
    );
    let limit = cloakroom_cost::inline::LIMIT.to_string();
    assert_eq!(default("InlineLimitBytes"), limit, "as the prices have it");
    assert_eq!(cloakroom_app::submit::INLINE_LIMIT.to_string(), limit);
    assert!(!template["Resources"]["Api"].is_null(), "a REST API");
    let batch = template["Parameters"]["BatchSize"]["MaxValue"]
        .as_u64()
        .expect("a number");
    assert!(
        run(&format!("cloakroom cost --batch {batch}"))
            .status
            .success()
    );
    assert_eq!(
        run(&format!("cloakroom cost --batch {}", batch + 1))
            .status
            .code(),
        Some(2)
    );
}
