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
    assert!(
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
        "{text}"
    );
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
