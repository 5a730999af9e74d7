//! The `digest-validator` function: wiring.

use std::io::Write;

use aws_clients::{Clients, SystemClock, Timeouts};
use digest_validator::{Ports, Settings, Validator};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let settings = match Settings::from_env(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in &faults.faults {
                tracing::error!("{fault}");
            }
            return Err("the environment is not as expected".into());
        }
    };
    let clients = Clients::load(Timeouts::persistent()).await?;
    let of_region = clients.clone();
    let ports = Ports {
        objects: clients.objects(),
        items: clients.items(&settings.table),
        matches: clients.queue(&settings.match_queue_url),
        log_files: clients.standard_queue(&settings.log_file_queue_url),
        trails: clients.trails(clients.region()),
        public_keys: move |region: &str| of_region.public_keys(region),
        clock: SystemClock,
    };
    let validator = &Validator::new(settings, ports);

    run(service_fn(
        |event: LambdaEvent<serde_json::Value>| async move {
            let deadline_millis = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
            let mut write_line = |line: &str| {
                // Metrics leave as lines of the function's log; a log that is gone takes them along.
                let _ = writeln!(std::io::stdout(), "{line}");
            };
            let answer = validator.handle(event.payload, deadline_millis, &mut write_line);
            // In a box: the future is deeper than the compiler likes.
            Box::pin(answer).await.map_err(Error::from)
        },
    ))
    .await
}
