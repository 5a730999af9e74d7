//! Chains as folders, for programs that read them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ports::PublicKeyEntry;
use serde_json::{Map, Value, json};

use super::Chain;

impl Chain {
    /// Writes everything into a folder:
    ///
    /// ```text
    /// BUCKET/KEY                 each object
    /// metadata.json              {BUCKET: {KEY: {NAME: VALUE}}}, of objects that have any
    /// public_keys/REGION.json    what ListPublicKeys answers in the Region
    /// ```
    ///
    /// # Panics
    /// If a file cannot be written, or a key cannot be a path below the folder.
    pub fn write_folder(&self, folder: &Path) {
        for ((bucket, key), object) in &self.objects {
            let is_path = key.split('/').all(|part| !["", ".", ".."].contains(&part));
            assert!(is_path, "`{key}` cannot be a path");
            write(&folder.join(bucket).join(key), &object.content);
        }
        write(&folder.join("metadata.json"), self.metadata().to_string());
        for (region, keys) in &self.public_keys {
            let path = folder.join("public_keys").join(format!("{region}.json"));
            write(&path, public_key_list(keys).to_string());
        }
    }

    fn metadata(&self) -> Value {
        let mut buckets = Map::new();
        for ((bucket, key), object) in &self.objects {
            let keys = buckets.entry(bucket).or_insert_with(|| json!({}));
            if !object.metadata.is_empty() {
                keys[key] = json!(object.metadata);
            }
        }
        Value::Object(buckets)
    }
}

/// What `ListPublicKeys` answers, the newest key first.
fn public_key_list(keys: &[PublicKeyEntry]) -> Value {
    let entry = |key: &PublicKeyEntry| {
        json!({
            "Value": BASE64_STANDARD.encode(&key.value),
            "ValidityStartTime": key.validity_start,
            "ValidityEndTime": key.validity_end,
            "Fingerprint": key.fingerprint,
        })
    };
    json!({ "PublicKeyList": keys.iter().rev().map(entry).collect::<Value>() })
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
