//! `trailwarden validate-logs` as it answers like the AWS CLI: in folders and against a stand-in for AWS.
#![cfg(feature = "aws")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod aws;
mod command;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aws::Aws;
use command::{Run, trailwarden};
use tempfile::TempDir;
use testkit::chain::{Chain, Staged, Tamper, TrailSpec, scenario, scenarios};
use testkit::time;

/// The options that name a stream and a range.
fn options(spec: &TrailSpec, (start, end): (i64, i64)) -> Vec<String> {
    let options = [
        "validate-logs",
        "--trail-arn",
        &spec.arn(),
        "--region",
        &spec.region,
        "--account-id",
        &spec.account,
        "--start-time",
        &time(start),
        "--end-time",
        &time(end),
    ];
    options.map(str::to_owned).to_vec()
}

/// The options that name what `write_folder` has written.
fn folder_options(folder: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut options = vec!["--dir".to_owned(), text(folder)];
    let mut keys: Vec<_> = fs::read_dir(folder.join("public_keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    keys.sort();
    for path in keys {
        options.extend(["--public-keys".to_owned(), text(&path)]);
    }
    options.extend([
        "--signatures".to_owned(),
        text(&folder.join("metadata.json")),
    ]);
    options
}

fn run(options: &[String]) -> Run {
    trailwarden(&options.iter().map(String::as_str).collect::<Vec<_>>())
}

fn folder_of(chain: &Chain) -> TempDir {
    let folder = TempDir::new().unwrap();
    chain.write_folder(folder.path());
    fs::create_dir_all(folder.path().join("public_keys")).unwrap();
    folder
}

/// One spec of each account, Region and trail.
fn specs(chain: &Chain) -> Vec<TrailSpec> {
    let mut seen = BTreeSet::new();
    let specs = chain.streams.iter().map(|stream| stream.spec.clone());
    specs
        .filter(|spec| {
            seen.insert((
                spec.account.clone(),
                spec.region.clone(),
                spec.trail.clone(),
            ))
        })
        .collect()
}

fn shown(run: &Run) -> String {
    let Run {
        status,
        stdout,
        stderr,
    } = run;
    let stderr = match stderr.is_empty() {
        true => String::new(),
        false => format!("--- stderr\n{stderr}"),
    };
    let text = format!("{stdout}{stderr}--- exit {status}\n");
    without_fingerprints(&text)
}

/// Keys are made anew for each process.
fn without_fingerprints(text: &str) -> String {
    let is_fingerprint =
        |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split([' ', '\n']).filter(is_fingerprint);
    let words: BTreeSet<&str> = words.collect();
    words.into_iter().fold(text.to_owned(), |text, word| {
        text.replace(word, "FINGERPRINT")
    })
}

/// What is another case in a folder: the file can be read, may be a copy, or is signed by the digest that follows.
fn differs_offline(staged: &Staged) -> bool {
    let kinds = [
        Tamper::Unreadable,
        Tamper::BucketCopied,
        Tamper::SignatureLost,
    ];
    staged
        .tampered
        .what
        .iter()
        .any(|(what, ..)| kinds.contains(what))
}

#[test]
fn what_is_said_of_each_case() {
    let mut text = String::new();
    for case in scenarios() {
        let staged = (case.stage)();
        let folder = folder_of(&staged.chain);
        for spec in specs(&staged.chain) {
            let options = [options(&spec, staged.range), folder_options(folder.path())].concat();
            let name = case.name;
            writeln!(
                text,
                "=== {name} [{} {} {}]",
                spec.account, spec.region, spec.trail
            )
            .unwrap();
            let folder = folder.path().to_str().unwrap();
            let mut said = shown(&run(&options)).replace(folder, "FOLDER");
            if name == "a signature in the metadata is wrong" {
                // Keys are made anew: the digit that was changed may be none any more.
                said = said.replace(
                    "Non-hexadecimal digit found",
                    "signature verification failed",
                );
            }
            text += &said;
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn aws_and_a_folder_give_the_same_answers() {
    for case in scenarios() {
        let staged = (case.stage)();
        if differs_offline(&staged) || staged.chain.public_keys.is_empty() {
            continue;
        }
        let folder = folder_of(&staged.chain);
        let server = Aws::of(staged.chain.clone()).serve();
        for spec in specs(&staged.chain) {
            // A folder without any digest is a mistake; a bucket without is what it is.
            let digests = format!("_CloudTrail-Digest_{}_", spec.region);
            let mut keys = staged.chain.objects.keys();
            if !keys.any(|(_, key)| key.contains(&digests) && key.contains(&spec.account)) {
                continue;
            }
            let online = [options(&spec, staged.range), vec!["--verbose".to_owned()]].concat();
            let bucket = ["--s3-bucket", spec.bucket_of(spec.hours)]
                .map(str::to_owned)
                .to_vec();
            let offline = [online.clone(), folder_options(folder.path()), bucket].concat();
            let online: Vec<&str> = online.iter().map(String::as_str).collect();
            let (online, offline) = (shown(&server.trailwarden(&online)), shown(&run(&offline)));
            assert!(
                online == offline,
                "{} [{}]\n{online}\n{offline}",
                case.name,
                spec.region
            );
        }
    }
}

/// All lines of a clean chain with --verbose.
fn lines_of_a_clean_chain(chain: &Chain, range: (i64, i64)) -> String {
    let stream = &chain.streams[0];
    let arn = stream.spec.arn();
    let (start, end) = (time(range.0), time(range.1));
    let mut text = format!("Validating log files for trail {arn} between {start} and {end}\n\n");
    let mut logs = 0;
    for (digests, mark) in [(&stream.digests, ""), (&stream.backfill, "(backfill) ")] {
        for digest in digests.iter().rev() {
            let (bucket, key) = (&digest.bucket, &digest.key);
            writeln!(text, "{mark}Digest file\ts3://{bucket}/{key}\tvalid").unwrap();
            for log in &digest.logs {
                writeln!(text, "Log file\ts3://{}/{}\tvalid", log.bucket, log.key).unwrap();
                logs += 1;
            }
        }
    }
    let first = time(stream.digests[0].start);
    let last = time(stream.digests.last().unwrap().end);
    let (digests, backfill) = (stream.digests.len(), stream.backfill.len());
    write!(
        text,
        "\nResults requested for {start} to {end}\nResults found for {first} to {last}:\n\n\
         {digests}/{digests} digest files valid\n{backfill}/{backfill} backfill digest files valid\n\
         {logs}/{logs} log files valid\n"
    )
    .unwrap();
    text
}

fn first_difference<'t>(text: &'t str, expected: &'t str) -> Option<(&'t str, &'t str)> {
    let lines = text.lines().zip(expected.lines());
    let first = lines.into_iter().find(|(line, expected)| line != expected);
    first.or((text.len() != expected.len()).then_some(("", "")))
}

fn large() -> Staged {
    let spec = TrailSpec {
        hours: 40,
        logs_per_hour: 7,
        records_per_log: 1,
        empty_hours: vec![3, 4, 5],
        backfill_hours: vec![27, 33],
        moves: vec![(25, "amzn-s3-demo-bucket1".to_owned())],
        ..TrailSpec::default()
    };
    let chain = Chain::of(&spec);
    let (start, end) = chain.range();
    Staged {
        before: chain.clone(),
        chain,
        tampered: testkit::chain::Tampered::default(),
        range: (start - 60, end + 60),
    }
}

#[test]
fn lines_come_in_the_order_of_the_chain_however_late_the_answers_are() {
    let staged = large();
    let spec = staged.chain.streams[0].spec.clone();
    let expected = lines_of_a_clean_chain(&staged.chain, staged.range);
    let mut aws = Aws::of(staged.chain);
    aws.is_slow = true;
    let server = aws.serve();
    for concurrency in ["1", "3", "64"] {
        let mut options = options(&spec, staged.range);
        options.extend(["--verbose", "--concurrency", concurrency].map(str::to_owned));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let run = server.trailwarden(&options);
        assert_eq!(run.stderr, "");
        let difference = first_difference(&run.stdout, &expected);
        assert_eq!(difference, None, "--concurrency {concurrency}");
        assert_eq!(run.status, 0);
    }
}

#[test]
fn no_more_is_under_way_than_was_asked_for() {
    for concurrency in [1, 5] {
        let staged = large();
        let mut aws = Aws::of(staged.chain.clone());
        aws.is_slow = true;
        let server = aws.serve();
        let mut options = options(&staged.chain.streams[0].spec, staged.range);
        options.extend(["--concurrency".to_owned(), concurrency.to_string()]);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        assert_eq!(server.trailwarden(&options).status, 0);
        assert_eq!(server.most_under_way(), concurrency);
        // Nothing is asked for twice, but where each bucket is and what it holds.
        let mut reads = server.requests();
        reads.retain(|request| request.starts_with("GET "));
        let mut different = BTreeSet::new();
        let twice: Vec<_> = reads
            .iter()
            .filter(|read| !different.insert(*read))
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn a_large_log_file_is_hashed_as_it_comes() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 2,
        logs_per_hour: 2,
        records_per_log: 6_000,
        ..TrailSpec::default()
    });
    let (good, bad) = (chain.log(0, 0, 0), chain.log(0, 1, 1));
    chain.flip(&bad, chain.object(&bad).content.len() - 9, 0);
    assert!(chain.object(&good).content.len() > 512 * 1024);
    let spec = chain.streams[0].spec.clone();
    let range = chain.range();
    let server = Aws::of(chain).serve();
    let options = options(&spec, range);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run = server.trailwarden(&options);
    assert_eq!(run.status, 1);
    assert!(
        run.stderr.starts_with(&format!(
            "Log file\ts3://{}/{}\tINVALID: ",
            bad.bucket, bad.key
        )),
        "{}",
        run.stderr
    );
    assert!(
        run.stdout
            .ends_with("3/4 log files valid, 1/4 log files INVALID\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_busy_service_is_asked_again() {
    let staged = scenario("a log file loses a record");
    let mut aws = Aws::of(staged.chain.clone());
    aws.is_busy = true;
    let server = aws.serve();
    let options = options(&staged.chain.streams[0].spec, staged.range);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run = server.trailwarden(&options);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(
        run.stdout
            .ends_with("47/48 log files valid, 1/48 log files INVALID\n"),
        "{}",
        run.stdout
    );
}

/// The lines of both outputs up to the first that names this, and how it ended.
fn ended(text: &str, first_without: &str) -> String {
    let at = text.find(first_without);
    assert_eq!(at, None, "nothing is printed behind the error");
    text.to_owned()
}

#[test]
fn a_refusal_ends_the_run_at_its_place_with_all_before_it_printed() {
    for (name, code, message) in [
        (
            "a log file may not be read",
            "AccessDenied",
            "Access Denied",
        ),
        (
            "a log file is archived",
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
        ),
        ("a digest may not be read", "AccessDenied", "Access Denied"),
    ] {
        let staged = scenario(name);
        let spec = staged.chain.streams[0].spec.clone();
        let mut all = staged.chain.clone();
        all.read_faults.clear();
        let all = lines_of_a_clean_chain(&all, staged.range);
        let (_, _, key) = &staged.tampered.what[0];
        let before = &all[..all.find(&format!("{key}\t")).unwrap()];
        let before = &before[..before.rfind('\n').unwrap() + 1];
        let mut aws = Aws::of(staged.chain);
        aws.is_slow = true;
        let server = aws.serve();
        let mut options = options(&spec, staged.range);
        options.push("--verbose".to_owned());
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let error = format!(
            "\nAn error occurred ({code}) when calling the GetObject operation: {message}\n"
        );
        let run = server.trailwarden(&options);
        assert_eq!(
            (run.status, run.stderr.as_str()),
            (255, error.as_str()),
            "{name}"
        );
        assert_eq!(run.stdout, before, "{name}");
        let both = server.in_one_pipe(&options);
        assert_eq!(
            ended(&both, "Results"),
            format!("{before}{error}"),
            "{name}"
        );
    }
}

#[test]
fn a_connection_that_breaks_is_an_invalid_format_to_the_aws_cli() {
    let staged = scenario("the connection breaks in a log file");
    let (_, bucket, key) = &staged.tampered.what[0];
    let server = Aws::of(staged.chain.clone()).serve();
    let options = options(&staged.chain.streams[0].spec, staged.range);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run = server.trailwarden(&options);
    let expected = format!("Log file\ts3://{bucket}/{key}\tINVALID: invalid format\n\n");
    assert_eq!((run.status, run.stderr), (1, expected));
}

#[test]
fn both_outputs_in_one_pipe_keep_their_order() {
    let staged = scenario("log files are deleted");
    let folder = folder_of(&staged.chain);
    let spec = &staged.chain.streams[0].spec;
    let server = Aws::of(staged.chain.clone()).serve();
    let mut options = options(spec, staged.range);
    options.push("--verbose".to_owned());
    options.extend(folder_options(folder.path()));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let both = server.in_one_pipe(&options);
    let lines: Vec<&str> = both.lines().collect();
    let invalid = lines
        .iter()
        .position(|line| line.contains("INVALID"))
        .unwrap();
    // A blank line before and behind, and the digest that lists it above.
    assert_eq!((lines[invalid - 1], lines[invalid + 1]), ("", ""));
    assert!(lines[invalid - 2].starts_with("Digest file"), "{both}");
    assert!(lines[invalid + 2].starts_with("Log file"), "{both}");
}

fn error_of(aws: Aws, options: &[&str]) -> String {
    let run = aws
        .serve()
        .trailwarden(&[&["validate-logs"], options].concat());
    assert_eq!(run.status, 255, "{}{}", run.stdout, run.stderr);
    run.stdout + &run.stderr
}

#[test]
fn what_the_aws_cli_says_when_it_cannot_begin() {
    let chain = || Aws::of(scenario("nothing is wrong").chain);
    let arn = scenario("nothing is wrong").chain.streams[0].spec.arn();
    let arn = arn.as_str();
    let from = ["--start-time", "2026-03-01"];
    let say = |aws: Aws, options: &[&str]| error_of(aws, options);
    assert_eq!(
        say(chain(), &["--trail-arn", "audit-trail", from[0], from[1]]),
        "\nInvalid trail ARN provided: audit-trail\n"
    );
    assert_eq!(
        say(chain(), &["--trail-arn", arn, "--start-time", "yesterday"]),
        "\nUnable to parse date value: yesterday\n"
    );
    assert_eq!(
        say(
            chain(),
            &[
                "--trail-arn",
                arn,
                from[0],
                from[1],
                "--end-time",
                "2026-02-01"
            ]
        ),
        "\nInvalid time range specified: start-time must occur before end-time\n"
    );
    let other = format!("{arn}-other");
    assert_eq!(
        say(chain(), &["--trail-arn", &other, from[0], from[1]]),
        format!("\nA trail could not be found for {other}\n")
    );
    let organization = scenario("an organization trail").chain;
    let of_organization = organization.streams[0].spec.arn();
    assert_eq!(
        say(
            Aws::of(organization),
            &["--trail-arn", &of_organization, from[0], from[1]]
        ),
        "\nMissing required parameter for organization trail: '--account-id'\n"
    );
    let mut denied = chain();
    denied.errors = vec![(
        "DescribeTrails".to_owned(),
        400,
        "AccessDeniedException",
        "no",
    )];
    assert_eq!(
        say(denied, &["--trail-arn", arn, from[0], from[1]]),
        "\nAn error occurred (AccessDeniedException) when calling the DescribeTrails operation: no\n"
    );
}

#[test]
fn what_the_aws_cli_says_when_it_cannot_go_on() {
    let staged = scenario("nothing is wrong");
    let arn = staged.chain.streams[0].spec.arn();
    let options = [
        "--trail-arn",
        &arn,
        "--start-time",
        "2026-03-01",
        "--end-time",
        "2026-03-03",
    ];
    let begun = format!(
        "Validating log files for trail {arn} between 2026-03-01T00:00:00Z and 2026-03-03T00:00:00Z\n\n"
    );
    for (request, status, code, error) in [
        (
            "LIST ",
            403,
            "AccessDenied",
            "An error occurred (AccessDenied) when calling the ListObjects operation: told",
        ),
        (
            "LOCATION ",
            403,
            "AccessDenied",
            "An error occurred (AccessDenied) when calling the GetBucketLocation operation: told",
        ),
        (
            "ListPublicKeys",
            400,
            "InvalidTimeRangeException",
            "An error occurred (InvalidTimeRangeException) when calling the ListPublicKeys operation: told",
        ),
    ] {
        let mut aws = Aws::of(staged.chain.clone());
        aws.errors = vec![(request.to_owned(), status, code, "told")];
        assert_eq!(error_of(aws, &options), format!("{begun}\n{error}\n"));
    }
    let mut no_keys = Aws::of(staged.chain.clone());
    no_keys.chain.public_keys.clear();
    assert_eq!(
        error_of(no_keys, &options),
        format!(
            "{begun}\nNo public keys found between 2026-03-01T00:00:00Z and 2026-03-03T02:00:00Z\n"
        )
    );
    let other = [options.as_slice(), &["--s3-bucket", "amzn-s3-demo-bucket3"]].concat();
    assert_eq!(
        error_of(Aws::of(staged.chain), &other),
        format!(
            "{begun}\nAn error occurred (NoSuchBucket) when calling the GetBucketLocation operation: The specified bucket does not exist\n"
        )
    );
}

#[test]
fn offsets_are_dropped_as_the_aws_cli_drops_them() {
    let staged = scenario("nothing is wrong");
    let folder = folder_of(&staged.chain);
    let mut arguments = vec!["validate-logs".to_owned()];
    arguments.extend(folder_options(folder.path()));
    arguments.extend(
        [
            "--start-time",
            "Mar 1 2026 10:00 +0200",
            "--end-time",
            "20260303T000000-05",
        ]
        .map(str::to_owned),
    );
    let run = run(&arguments);
    assert!(
        run.stdout
            .contains("between 2026-03-01T10:00:00Z and 2026-03-03T00:00:00Z\n"),
        "{}{}",
        run.stdout,
        run.stderr
    );
}

// ---- In folders.

/// Copies what `write_folder` has written of one bucket.
fn copied(from: &Path, to: &Path, rename: impl Fn(&str) -> String) {
    for entry in walk(from) {
        let inside = entry.strip_prefix(from).unwrap().to_str().unwrap();
        let target = to.join(rename(inside));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&entry, target).unwrap();
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn a_digest_of_many_log_files_is_read_when_it_is_its_turn() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 3,
        logs_per_hour: 6_000,
        records_per_log: 1,
        ..TrailSpec::default()
    });
    let kept = chain.log(0, 1, 5_999);
    let logs = chain.streams[0].logs().map(|log| log.key.clone());
    let logs: BTreeSet<String> = logs.filter(|key| *key != kept.key).collect();
    chain.objects.retain(|(_, key), _| !logs.contains(key));
    let digests = chain
        .objects
        .iter()
        .filter(|((_, key), _)| key.contains("Digest"));
    assert!(
        digests
            .into_iter()
            .all(|(_, digest)| digest.content.len() > 256 * 1024)
    );
    let folder = folder_of(&chain);
    let range = chain.range();
    let mut options = options(&chain.streams[0].spec, range);
    options.extend(folder_options(folder.path()));
    let run = run(&options);
    assert_eq!(run.status, 1);
    let last = "3/3 digest files valid\n1/18000 log files valid, 17999/18000 log files INVALID\n";
    assert!(run.stdout.ends_with(last), "{}", run.stdout);
    assert_eq!(
        run.stderr.matches("\tINVALID: not found\n\n").count(),
        17_999
    );
}

fn offline(folder: &Path, saved: &Path, more: &[&str]) -> Run {
    let key = saved.join("public_keys/us-east-1.json");
    let options = [
        &[
            "validate-logs",
            "--dir",
            folder.to_str().unwrap(),
            "--public-keys",
            key.to_str().unwrap(),
        ],
        more,
    ];
    trailwarden(&options.concat())
}

#[test]
fn copies_are_found_however_the_folder_is_laid_out() {
    let staged = scenario("the trail has a prefix");
    let written = folder_of(&staged.chain);
    let saved = written.path();
    let bucket = saved.join("amzn-s3-demo-bucket");
    let metadata = saved.join("metadata.json");
    let flat = |key: &str| key.rsplit('/').next().unwrap().to_owned();
    type Layout<'l> = (&'l str, &'l dyn Fn(&str) -> String);
    let layouts: [Layout; 5] = [
        ("by bucket", &|key| format!("amzn-s3-demo-bucket/{key}")),
        ("by key", &str::to_owned),
        ("in a copy's bucket", &|key| format!("copies/of/{key}")),
        ("without the prefix", &|key| key.replace("audit/trail/", "")),
        ("all in one", &flat),
    ];
    for (name, layout) in layouts {
        let folder = TempDir::new().unwrap();
        copied(&bucket, folder.path(), layout);
        // A link to a folder around it is passed over.
        std::os::unix::fs::symlink(folder.path(), folder.path().join("around")).unwrap();
        let run = offline(
            folder.path(),
            saved,
            &["--signatures", metadata.to_str().unwrap()],
        );
        assert_eq!(
            (run.status, run.stderr.as_str()),
            (0, ""),
            "{name}: {}",
            run.stdout
        );
        assert!(
            run.stdout
                .ends_with("\n16/16 digest files valid\n48/48 log files valid\n"),
            "{name}: {}",
            run.stdout
        );
    }
}

#[test]
fn a_digest_under_the_name_of_another_is_moved() {
    let staged = scenario("an older digest is put in place of a newer one");
    let written = folder_of(&staged.chain);
    let bucket = written.path().join("amzn-s3-demo-bucket");
    let flat = |key: &str| key.rsplit('/').next().unwrap().to_owned();
    let layouts: [&dyn Fn(&str) -> String; 2] = [&str::to_owned, &flat];
    for layout in layouts {
        let folder = TempDir::new().unwrap();
        copied(&bucket, folder.path(), layout);
        let metadata = written.path().join("metadata.json");
        let run = offline(
            folder.path(),
            written.path(),
            &["--signatures", metadata.to_str().unwrap()],
        );
        assert_eq!(run.status, 1);
        assert!(
            run.stderr
                .ends_with("INVALID: has been moved from its original location\n\n"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn without_metadata_only_the_newest_digest_is_not_verified() {
    for (name, digests) in [
        ("nothing is wrong", "15/16"),
        ("backfill digests come 40 days later", "15/16"),
    ] {
        let staged = scenario(name);
        let written = folder_of(&staged.chain);
        fs::remove_file(written.path().join("metadata.json")).unwrap();
        let run = offline(written.path(), written.path(), &[]);
        assert_eq!(run.status, 1);
        assert!(
            run.stdout.contains(&format!(
                "\n{digests} digest files valid, 1/16 digest files INVALID\n"
            )),
            "{}",
            run.stdout
        );
        assert!(
            run.stderr
                .contains("INVALID: signature verification failed\n"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("note: "), "{}", run.stderr);
        assert!(
            run.stderr.contains("trailwarden digest signatures"),
            "{}",
            run.stderr
        );
        if !staged.chain.streams[0].backfill.is_empty() {
            assert!(
                run.stdout.contains(
                    "\n2/3 backfill digest files valid, 1/3 backfill digest files INVALID\n"
                ),
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn a_folder_of_several_chains_says_which_there_are() {
    let staged = scenario("a trail of three Regions");
    let folder = folder_of(&staged.chain);
    let run = offline(folder.path(), folder.path(), &[]);
    assert_eq!((run.status, run.stdout.as_str()), (255, ""));
    for spec in specs(&staged.chain) {
        let line = format!(
            "\n  --trail-arn {} --account-id {} --region {} --s3-bucket {}\n",
            spec.arn(),
            spec.account,
            spec.region,
            spec.bucket
        );
        assert!(run.stderr.contains(&line), "{}", run.stderr);
    }
}

#[test]
fn mistakes_with_folders_are_said() {
    let empty = TempDir::new().unwrap();
    let staged = scenario("nothing is wrong");
    let folder = folder_of(&staged.chain);
    let keys = folder.path();
    let text = |path: &Path| path.display().to_string();
    let said = |run: Run| {
        assert_eq!((run.status, run.stdout.as_str()), (255, ""));
        run.stderr
    };
    let nothing = said(offline(empty.path(), keys, &[]));
    assert_eq!(
        nothing,
        format!(
            "\nthere are no digests and no log files below `{}`\n",
            text(empty.path())
        )
    );
    let nowhere = empty.path().join("nowhere");
    assert!(
        said(offline(&nowhere, keys, &[]))
            .starts_with(&format!("\ncannot read the folder `{}`", text(&nowhere)))
    );
    fs::create_dir_all(empty.path().join("public_keys")).unwrap();
    let no_keys = empty.path().join("public_keys/us-east-1.json");
    fs::write(&no_keys, "[1]").unwrap();
    let bad_keys = said(offline(folder.path(), empty.path(), &[]));
    assert!(
        bad_keys.starts_with(&format!(
            "\n`{}` is no file of public keys: key 1 of the list",
            text(&no_keys)
        )),
        "{bad_keys}"
    );
    let bad_metadata = said(offline(
        folder.path(),
        keys,
        &["--signatures", no_keys.to_str().unwrap()],
    ));
    assert!(
        bad_metadata.starts_with(&format!(
            "\n`{}` is no file of metadata: expected an object",
            text(&no_keys)
        )),
        "{bad_metadata}"
    );
}

#[test]
fn a_missing_option_is_an_error_of_the_command_line() {
    let run = trailwarden(&["validate-logs", "--start-time", "2026-03-01"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("--trail-arn <ARN>"), "{}", run.stderr);
}

// ---- What is saved online is what is needed offline.

#[test]
fn what_digest_saves_is_what_a_folder_lacks() {
    let staged = scenario("backfill digests come 40 days later");
    let folder = folder_of(&staged.chain);
    fs::remove_dir_all(folder.path().join("public_keys")).unwrap();
    fs::remove_file(folder.path().join("metadata.json")).unwrap();
    let server = Aws::of(staged.chain.clone()).serve();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (keys, signatures) = (path("keys.json"), path("signatures.json"));
    let range = ["--start-time", "2026-02-01", "--end-time", "2026-05-01"];
    let run = server.trailwarden(
        &[
            &["digest", "keys", "--region", "us-east-1", "--output", &keys],
            range.as_slice(),
        ]
        .concat(),
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let place = [
        "--s3-bucket",
        "amzn-s3-demo-bucket",
        "--account-id",
        "111122223333",
        "--region",
        "us-east-1",
    ];
    let run = server.trailwarden(
        &[
            &["digest", "signatures", "--output", &signatures],
            place.as_slice(),
            range.as_slice(),
        ]
        .concat(),
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let dir = folder.path().to_str().unwrap();
    let run = trailwarden(&[
        "validate-logs",
        "--dir",
        dir,
        "--public-keys",
        &keys,
        "--signatures",
        &signatures,
    ]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert!(
        run.stdout.ends_with(
            "\n16/16 digest files valid\n3/3 backfill digest files valid\n54/54 log files valid\n"
        ),
        "{}",
        run.stdout
    );
}

#[test]
fn nothing_to_save_is_an_error() {
    let server = Aws::of(scenario("nothing is wrong").chain).serve();
    let run = server.trailwarden(&[
        "digest",
        "keys",
        "--region",
        "eu-west-1",
        "--start-time",
        "2026-03-01",
    ]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr
            .contains("`eu-west-1` has no public keys for that time"),
        "{}",
        run.stderr
    );
    let run = server.trailwarden(&[
        "digest",
        "signatures",
        "--s3-bucket",
        "amzn-s3-demo-bucket",
        "--account-id",
        "123456789012",
        "--region",
        "us-east-1",
        "--start-time",
        "2026-03-01",
    ]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("there are no digests of that time in s3://amzn-s3-demo-bucket/AWSLogs/123456789012/CloudTrail-Digest/us-east-1/"), "{}", run.stderr);
}
