//! Conformance suites of the ports, on all emulators of AWS, and on AWS.
//!
//! The embedded services are always tested. `CLOAKROOM_ON` adds the services that the SDK finds by its own variables
//! (`AWS_ENDPOINT_URL`, the region, the credentials). `CLOAKROOM_DYNAMODB_LOCAL_URL` adds Amazon's DynamoDB Local. The
//! tests create resources with unique names, and remove them.

mod crashes;
#[path = "../shared/embedded.rs"]
mod embedded;
#[path = "../shared/event_bridge.rs"]
mod event_bridge;
mod extended;
mod objects;
mod place;
mod queue;
mod table;

use std::process::ExitCode;

use cloakroom_tests::{Needs, Target, Test, suite};

use place::Place;

/// Returns the places on which the adapters are tested.
fn places(target: Target) -> Vec<Place> {
    let mut places = vec![Place::Embedded];
    if target != Target::Dev {
        places.push(Place::Services(target));
    }
    if let Ok(url) = std::env::var("CLOAKROOM_DYNAMODB_LOCAL_URL") {
        places.push(Place::DynamoDbLocal(url));
    }
    places
}

/// Lists the tests of a place by the names of their functions, with their needs.
macro_rules! at {
    ($place:expr, $($module:ident::$test:ident $(=> [$($need:ident),+])?),* $(,)?) => {
        vec![$({
            let place = $place.clone();
            let path = format!("conformance::{place}::{}", stringify!($test));
            // The embedded services have everything, even if the target does not.
            let needs: &[Needs] = if place == Place::Embedded { &[] } else { &[$($(Needs::$need),+)?] };
            Test::new(&path, needs, move || $module::$test(place))
        }),*]
    };
}

/// Returns true if Amazon's library for Python is tested there. To save time, the embedded services are skipped if
/// there is another place.
fn asks_python(place: &Place, target: Target) -> bool {
    std::env::var_os("CLOAKROOM_EXTENDED_PYTHON").is_some()
        && (target == Target::Dev || *place != Place::Embedded)
}

fn tests(place: &Place, target: Target) -> Vec<Test> {
    let mut tests = at![place, table::is_a_table_of_jobs];
    if !matches!(place, Place::DynamoDbLocal(_)) {
        tests.extend(at![
            place,
            crashes::whichever_call_of_a_jobs_life_fails_it_succeeds_and_its_outcome_is_recorded_once,
            crashes::whichever_call_of_an_upload_in_parts_fails_it_becomes_one_job,
            crashes::whichever_call_of_a_poll_or_a_cancellation_fails_it_goes_through_when_it_is_asked_again,
            crashes::whichever_call_about_a_dead_letter_fails_its_job_ends_and_it_is_kept,
            crashes::whichever_call_of_a_sweep_fails_the_stranded_job_ends,
            crashes::whichever_call_of_a_notification_fails_every_listener_hears_of_each_event_in_order,
            queue::is_a_queue_of_messages,
            queue::puts_what_was_received_too_often_among_the_dead_letters,
            objects::is_a_store_of_objects,
            objects::serves_by_a_link_and_by_no_other => [SignedLinks],
            objects::serves_nobody_without_a_link => [PrivateObjects],
            objects::takes_by_a_link_what_it_was_made_for_and_nothing_else => [SignedLinks],
            objects::takes_objects_in_parts,
            objects::takes_by_a_link_the_part_it_was_made_for_and_nothing_else => [SignedLinks],
            extended::our_client_puts_away_what_is_large_and_brings_it_back,
            extended::our_client_sends_a_batch_that_is_too_large_in_total,
            extended::our_client_hands_out_what_can_be_fetched_of_every_class_and_attribute,
        ]);
        if asks_python(place, target) {
            tests.extend(at![
                place,
                extended::pythons_library_reads_what_our_client_sends => [PlainHandles],
                extended::our_client_reads_what_pythons_library_sends,
                extended::pythons_library_reads_a_command_from_the_workers_queue,
            ]);
        }
    }
    tests
}

fn main() -> ExitCode {
    suite::main(Target::from_services_env(), |target| {
        places(target)
            .iter()
            .flat_map(|place| tests(place, target))
            .collect()
    })
}
