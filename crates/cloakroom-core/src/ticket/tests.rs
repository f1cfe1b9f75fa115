use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn ticket() -> Ticket {
    Ticket {
        job: JobKey {
            tenant: "acme".parse().expect("a name"),
            id: JobId::from_uuid(uuid::Uuid::from_u128(7)),
        },
        created_at: Timestamp::from_millis(999_999_123),
        scope: vec![TicketScope::Read, TicketScope::Cancel],
        expires_at: Timestamp::from_seconds(1_000_060),
    }
}

fn keys() -> DeploymentKeys {
    DeploymentKeys::new([1, 2])
}

#[test]
fn a_ticket_is_read_as_it_was_signed_until_it_expires() {
    let text = ticket().sign(&keys());
    for n in 0..50 {
        let mut ticket = ticket();
        ticket.job.id = JobId::from_uuid(uuid::Uuid::from_u128(n));
        let text = ticket.sign(&keys());
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            "{text}"
        );
    }
    assert_eq!(Ticket::verify(&text, &keys(), NOW), Ok(ticket()));
    let last = Timestamp::from_millis(1_000_059_999);
    assert!(Ticket::verify(&text, &keys(), last).is_ok());
    let end = ticket().expires_at;
    assert_eq!(Ticket::verify(&text, &keys(), end), Err(InvalidTicket));
}

#[test]
fn no_altered_ticket_is_valid() {
    let text = ticket().sign(&keys());
    for at in 0..text.len() {
        for replacement in ["A", "B", "-", ".", "="] {
            let mut altered = text.clone();
            altered.replace_range(at..=at, replacement);
            if altered != text {
                assert_eq!(
                    Ticket::verify(&altered, &keys(), NOW),
                    Err(InvalidTicket),
                    "{altered}"
                );
            }
        }
    }
    for bad in [
        "",
        ".",
        "a.b",
        &text[1..],
        &format!("{text}A"),
        &format!("{text}.x"),
    ] {
        assert_eq!(
            Ticket::verify(bad, &keys(), NOW),
            Err(InvalidTicket),
            "{bad}"
        );
    }
    let other = DeploymentKeys::new([9, 9]);
    assert_eq!(Ticket::verify(&text, &other, NOW), Err(InvalidTicket));
}

#[test]
fn a_ticket_is_valid_while_its_key_is_replaced_once() {
    let text = ticket().sign(&keys());
    let replaced = keys().with_key([3, 4]);
    assert!(Ticket::verify(&text, &replaced, NOW).is_ok());
    let twice = replaced.with_key([5, 6]);
    assert_eq!(Ticket::verify(&text, &twice, NOW), Err(InvalidTicket));
}

/// All later versions must be able to read it: clients hold tickets for up to a day.
#[test]
fn a_ticket_of_version_1_is_valid() {
    let text = "eyJ0IjoiYWNtZSIsImoiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDciLCJjIjo5OTk5OTkxMjMsInMiOlsicmVhZCIsImNhbmNlbCJdLCJlIjoxMDAwMDYwMDAwfQ.dhXQyhEIjzMeRBSpwH8BHydVKGptJihjFMM2evdu2Hs";
    assert_eq!(Ticket::verify(text, &keys(), NOW), Ok(ticket()));
    assert_eq!(ticket().sign(&keys()), text);
}

#[test]
fn a_signature_for_another_purpose_is_none_for_a_ticket() {
    let text = ticket().sign(&keys());
    let (claims, _) = text.split_once('.').expect("two parts");
    let other = BASE64.encode(keys().sign("webhook", claims));
    let other = format!("{claims}.{other}");
    assert_eq!(Ticket::verify(&other, &keys(), NOW), Err(InvalidTicket));
}

#[test]
fn a_ticket_lives_for_a_minute_to_a_day() {
    assert_eq!(TICKET_SECONDS, 60..=24 * 3600);
}
