//! The program itself, at its start.

#[path = "../../../tests/shared/start.rs"]
mod start;

#[test]
fn without_its_configuration_it_stops_and_names_the_variable() {
    let set = [
        ("CLOAKROOM_TABLE", "jobs"),
        ("CLOAKROOM_BUCKET", "payloads"),
        (
            "CLOAKROOM_NAMESPACE",
            "c10a6300-0000-4000-8000-000000000001",
        ),
    ];
    start::stops_for_want_of("CLOAKROOM_QUEUE_URL", env!("CARGO_BIN_EXE_submit"), &set);
}
