//! What an alarm says: its story, its evidence, and nothing secret.
mod mask;
pub use mask::{is_secret_name, mask_json, mask_text};
