//! Makes one thumbnail: `peak IMAGE SIDE FORMAT [RESULT]`. Prints the outcome, the peak memory above the idle process and the estimate,
//! in KiB, and the duration in ms. `benches/memory` starts it for each image.

use std::error::Error;

use bytes::Bytes;
use cloakroom_app::core::ResultRef;
use cloakroom_app::ports::Objects as _;
use cloakroom_app::submit::Body;
use cloakroom_app::testing::Room;

/// Returns a value of this process's status, in KiB.
fn status(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or("no such line")?;
    Ok(line.trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let image = arguments.next().ok_or("name an image")?;
    let side: u32 = arguments.next().ok_or("give a side")?.parse()?;
    let format = arguments.next().ok_or("name a format")?;
    let room = Room::new(
        demo::service()
            .with_diagnostics(false)
            .iter()
            .cloned()
            .collect(),
    );
    let rest = status("VmRSS:")?;
    let bytes = Bytes::from(std::fs::read(image)?);
    let length = u64::try_from(bytes.len())?;
    let query = format!("width={side}&height={side}&format={format}");
    let parameters = serde_json::json!({ "width": side, "height": side, "format": format });
    let estimate =
        demo::thumbnail_memory(&parameters, &bytes[..bytes.len().min(64 * 1024)], length);
    let body = Body::Fetched {
        content_type: Some("image/png".into()),
        bytes,
    };
    let submitted = room.send_body("thumbnail.create", None, &query, body).await;
    submitted.map_err(|error| format!("it is rejected: {error:?}"))?;
    let begun = std::time::Instant::now();
    room.work_until_idle().await;
    let (peak, job) = (
        status("VmHWM:")?.saturating_sub(rest),
        room.memory.only_job(),
    );
    if let (Some(path), Some(result)) = (
        arguments.next(),
        job.success.as_ref().and_then(|it| it.result.as_ref()),
    ) {
        let bytes = match result {
            ResultRef::Inline { bytes, .. } => bytes.clone().into(),
            ResultRef::Stored { key, .. } => room.memory.get(key).await?.ok_or("it is gone")?,
        };
        std::fs::write(path, bytes)?;
    }
    let end = job
        .failure
        .map_or("succeeded".to_owned(), |failure| failure.code);
    #[expect(clippy::print_stdout, reason = "it is what the program is for")]
    {
        println!(
            "{end} {peak} {} {}",
            estimate / 1024,
            begun.elapsed().as_millis()
        );
    }
    Ok(())
}
