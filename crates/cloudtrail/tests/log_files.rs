//! Log files as they come, good and bad, through the public reader.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use std::io::Write as _;

use cloudtrail::{Entry, LogFileReader, LogFolder, ProblemKind, ReadError, SkipReason, Summary};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn log_file(records: &[&str]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

const STOP: &str = r#"{"eventName":"StopLogging"}"#;
const DELETE: &str = r#"{"eventName":"DeleteTrail"}"#;

/// Reads with the whole-object path and with a window of a few bytes; both must agree.
fn read(object: &[u8]) -> (Result<Summary, ReadError>, Vec<String>) {
    let whole = read_with(LogFileReader::new(), object);
    let pieces = read_with(LogFileReader::with_buffer(700), object);
    assert_eq!(whole.1, pieces.1, "the streaming path reads other records");
    let counts = |result: &Result<Summary, ReadError>| {
        result
            .as_ref()
            .map(|summary| (summary.read, summary.records, summary.skipped.clone()))
            .map_err(Clone::clone)
    };
    assert_eq!(counts(&whole.0), counts(&pieces.0));
    whole
}

fn read_with(
    mut reader: LogFileReader,
    object: &[u8],
) -> (Result<Summary, ReadError>, Vec<String>) {
    let mut records = Vec::new();
    let result = reader.read(object, None, |entry| {
        if let Entry::Record { record, .. } = entry {
            records.push(String::from_utf8_lossy(record.raw()).into_owned());
        }
    });
    if let Ok(summary) = &result {
        assert_eq!(
            summary.read,
            summary.records + summary.skipped.iter().map(|(_, count)| count).sum::<u64>()
        );
        assert_eq!(summary.records, records.len() as u64);
    } else {
        // What was read before the fault was met does not count.
        records.clear();
    }
    (result, records)
}

fn good(object: &[u8]) -> (Summary, Vec<String>) {
    let (result, records) = read(object);
    (result.unwrap(), records)
}

fn problems(summary: &Summary) -> Vec<ProblemKind> {
    summary
        .problems
        .iter()
        .map(|problem| problem.kind)
        .collect()
}

fn failure(object: &[u8]) -> &'static str {
    let (result, records) = read(object);
    assert!(
        records.is_empty(),
        "nothing of a failed object may be handed out"
    );
    result.unwrap_err().kind()
}

#[test]
fn gzip_and_plain_files_give_the_same_records() {
    let content = log_file(&[STOP, DELETE]);
    assert_eq!(good(&gzip(&content)), good(&content));
    assert_eq!(good(&content).1, [STOP, DELETE]);
}

#[test]
fn several_members_are_one_stream() {
    let content = log_file(&[STOP, DELETE]);
    let (first, second) = content.split_at(20);
    let object = [gzip(first), gzip(b""), gzip(second)].concat();
    let (summary, records) = good(&object);
    assert_eq!(records, [STOP, DELETE]);
    assert_eq!(problems(&summary), [ProblemKind::MultipleMembers]);
}

#[test]
fn a_member_with_a_document_of_its_own_hides_nothing() {
    let object = [gzip(&log_file(&[STOP])), gzip(&log_file(&[DELETE]))].concat();
    let (summary, records) = good(&object);
    assert_eq!(records, [STOP, DELETE]);
    assert_eq!(
        problems(&summary),
        [ProblemKind::MultipleMembers, ProblemKind::SeveralDocuments]
    );
}

#[test]
fn a_second_member_with_the_trailer_of_the_first_is_not_overlooked() {
    let first = gzip(&log_file(&[STOP]));
    let mut second = gzip(&log_file(&[DELETE]));
    let trailer = first.len() - 8;
    let at = second.len() - 8;
    second[at..].copy_from_slice(&first[trailer..]);
    assert_eq!(failure(&[first, second].concat()), "crc_mismatch");
}

#[test]
fn members_of_the_same_length_are_all_read() {
    let twin = |name: &str| gzip(format!(r#"{{"Records":[{{"eventName":"{name}"}}]}}"#).as_bytes());
    let object = [twin("AAAA"), twin("BBBB"), twin("CCCC")].concat();
    let (summary, records) = good(&object);
    assert_eq!(records.len(), 3);
    assert_eq!(summary.read, 3);
}

#[test]
fn bytes_behind_the_last_member_are_a_problem_and_no_more() {
    for junk in [&b"junk"[..], &[0; 40], b"{}", &[0x1f], &[0x1f, 0x8b]] {
        let (summary, records) = good(&[gzip(&log_file(&[STOP])), junk.to_vec()].concat());
        assert_eq!(records, [STOP]);
        assert_eq!(problems(&summary), [ProblemKind::TrailingData], "{junk:?}");
    }
}

#[test]
fn what_does_not_verify_fails_as_a_whole() {
    let object = gzip(&log_file(&[STOP, DELETE]));
    let end = object.len();
    for cut in [1, 4, 8, 9, 20, end - 12, end - 3] {
        assert_eq!(
            failure(&object[..end - cut]),
            "truncated",
            "{cut} bytes cut off"
        );
    }
    let mut crc = object.clone();
    crc[end - 8] ^= 1;
    assert_eq!(failure(&crc), "crc_mismatch");
    let mut length = object.clone();
    length[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(failure(&length), "length_mismatch");
    let mut corrupt = object;
    corrupt[10] = 0xff;
    assert_eq!(failure(&corrupt), "corrupt_gzip");
}

#[test]
fn a_truncated_file_says_how_many_records_were_readable() {
    let many: Vec<String> = (0..50_000)
        .map(|n| format!(r#"{{"eventID":"{:x}"}}"#, n * 2_654_435_761_u64))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let object = gzip(&log_file(&many));
    let (result, _) = read(&object[..object.len() - 9]);
    let Err(ReadError::Gzip {
        readable_records, ..
    }) = result
    else {
        panic!("a truncated object is an error");
    };
    assert!(
        (20_000..=50_000).contains(&readable_records),
        "{readable_records}"
    );
}

#[test]
fn what_is_no_log_file_says_so() {
    for (content, kind) in [
        ("", "empty"),
        (" \n\t", "empty"),
        ("\u{feff}", "empty"),
        ("hello", "not_json"),
        ("{hello}", "not_json"),
        ("{\"Records", "not_json"),
        ("{\"a\":1", "no_records"),
        ("{}", "no_records"),
        ("[]", "no_records"),
        (r#"{"x":{"Records":[1]}}"#, "no_records"),
        (r#"{"Records":{}}"#, "records_not_an_array"),
        (r#"{"Records":null,"a":1}"#, "records_not_an_array"),
        (
            r#"{"digestEndTime":"x","digestS3Object":"y","logFiles":[]}"#,
            "digest_file",
        ),
    ] {
        assert_eq!(failure(content.as_bytes()), kind, "{content}");
        assert_eq!(failure(&gzip(content.as_bytes())), kind, "{content}, gzip");
    }
    assert_eq!(failure(b""), "empty");
}

#[test]
fn what_stands_around_the_records_is_passed_over() {
    let text = format!(
        "\u{feff} {{\"x\":{{\"Records\":[1,2]}}, \"n\": -1.5e3 ,\"Records\" : [ {STOP} ,\r\n {DELETE} ] , \"y\":[]}}\n"
    );
    let (summary, records) = good(text.as_bytes());
    assert_eq!(records, [STOP, DELETE]);
    assert!(summary.problems.is_empty(), "{:?}", summary.problems);
}

#[test]
fn elements_that_are_no_objects_are_skipped_and_counted() {
    let (summary, records) = good(&log_file(&[STOP, "null", "5", r#""s""#, "[]", DELETE]));
    assert_eq!(records, [STOP, DELETE]);
    assert_eq!(summary.skipped, [(SkipReason::NotAnObject, 4)]);
    assert_eq!(problems(&summary), [ProblemKind::SkippedNotAnObject]);
}

#[test]
fn a_record_that_does_not_end_costs_itself_only() {
    let (summary, records) =
        good(br#"{"Records":[{"eventName":"StopLogging"},{"eventName":"Delete"#);
    assert_eq!(records, [STOP]);
    assert_eq!(summary.skipped, [(SkipReason::Unterminated, 1)]);
    let (summary, records) = good(br#"{"Records":[{"a":1,{"eventName":"StopLogging"}]}"#);
    assert_eq!(records, [STOP]);
    assert_eq!(summary.skipped, [(SkipReason::Unterminated, 1)]);
    let open = r#"{"a":{"x":[1,{"y":2}]},"b":"c""#; // without its last brace
    let (summary, records) = good(&log_file(&[STOP, open, DELETE, STOP]));
    assert_eq!(records, [STOP, DELETE, STOP]);
    assert_eq!(summary.skipped, [(SkipReason::Unterminated, 1)]);
    let (summary, records) = good(br#"{"Records":[{"eventName":"StopLogging"},{"a":1],"y":2}"#);
    assert_eq!(
        (summary.skipped.clone(), records.len()),
        (vec![(SkipReason::Unterminated, 1)], 1),
        "{summary:?}"
    );
}

#[test]
fn an_array_that_is_closed_too_early_hides_no_record() {
    for text in [
        format!(r#"{{"Records":[{STOP}}},{DELETE}]}}"#),
        format!(r#"{{"Records":[{STOP}],{DELETE}]}}"#),
        format!(r#"{{"Records":[{STOP}]}},{DELETE},{DELETE}]}}"#).replace("]},", "],"),
    ] {
        let (summary, records) = good(text.as_bytes());
        assert_eq!(records[..2], [STOP, DELETE], "{text}");
        assert_eq!(
            problems(&summary),
            [ProblemKind::MalformedDocument],
            "{text}"
        );
    }
}

#[test]
fn commas_too_many_or_too_few_are_a_problem_and_cost_nothing() {
    for text in [
        format!("[,{STOP},{DELETE}]"),
        format!("[{STOP},,{DELETE}]"),
        format!("[{STOP},{DELETE},]"),
        format!("[{STOP} {DELETE}]"),
    ] {
        let (summary, records) = good(format!("{{\"Records\":{text}}}").as_bytes());
        assert_eq!(records, [STOP, DELETE], "{text}");
        assert_eq!(
            problems(&summary),
            [ProblemKind::MalformedDocument],
            "{text}"
        );
    }
}

#[test]
fn the_name_of_the_array_may_be_written_with_escapes() {
    let (_, records) = good(format!(r#"{{"\u0052ecords":[{STOP}]}}"#).as_bytes());
    assert_eq!(records, [STOP]);
}

#[test]
fn records_that_are_no_array_beside_some_that_are_are_a_problem() {
    let (summary, records) = good(format!(r#"{{"Records":[{STOP}],"Records":null}}"#).as_bytes());
    assert_eq!(records, [STOP]);
    assert_eq!(problems(&summary), [ProblemKind::RepeatedRecords]);
}

#[test]
fn reserved_flags_of_a_gzip_header_are_refused() {
    let mut object = gzip(&log_file(&[STOP]));
    object[3] = 0x20;
    assert_eq!(failure(&object), "corrupt_gzip");
}

#[test]
fn a_record_with_a_fault_is_handed_out_all_the_same() {
    for broken in [
        r#"{"eventName":"A",}"#,
        r#"{"eventName":"A","x":[1,2}"#,
        r#"{"eventName":"A","x":nul}"#,
        "{\"eventName\":\"A\",\"x\":\"\u{1}\"}",
    ] {
        let (summary, records) = good(&log_file(&[STOP, broken, DELETE]));
        assert_eq!(records, [STOP, broken, DELETE]);
        assert_eq!(problems(&summary), [ProblemKind::MalformedRecord]);
    }
}

#[test]
fn odd_bytes_inside_strings_are_no_fault_at_all() {
    let surrogate = r#"{"eventName":"Stop\ud800Logging"}"#.as_bytes().to_vec();
    let invalid = b"{\"eventName\":\"Stop\xff\xfeLogging\"}".to_vec();
    for record in [surrogate, invalid] {
        let content = [b"{\"Records\":[".to_vec(), record, b"]}".to_vec()].concat();
        let (summary, records) = good(&content);
        assert_eq!((records.len(), summary.problems.len()), (1, 0));
    }
}

#[test]
fn two_arrays_called_records_are_both_read() {
    let (summary, records) =
        good(format!(r#"{{"Records":[{STOP}],"Records":[{DELETE}]}}"#).as_bytes());
    assert_eq!(records, [STOP, DELETE]);
    assert_eq!(problems(&summary), [ProblemKind::RepeatedRecords]);
}

#[test]
fn aggregated_events_come_as_a_bare_array() {
    let object = gzip(format!("[{STOP},{DELETE}]").as_bytes());
    let mut seen = 0;
    let summary = LogFileReader::new()
        .read(&object, Some(LogFolder::Aggregated), |_| seen += 1)
        .unwrap();
    assert_eq!((summary.records, seen), (2, 2));
}

#[test]
fn a_small_file_that_inflates_to_a_lot_is_read_in_bounded_memory() {
    let mut content = log_file(&[STOP]);
    let end = content.len() - 1;
    content.splice(end..end, std::iter::repeat_n(b' ', 40 << 20));
    let (result, records) = read_with(LogFileReader::with_buffer(1 << 16), &gzip(&content));
    assert_eq!(records, [STOP]);
    assert_eq!(result.unwrap().content_bytes, content.len() as u64);
}

#[test]
fn an_object_that_inflates_to_more_than_the_limit_is_too_large() {
    let content = [log_file(&[STOP]), vec![b' '; 50_000]].concat();
    let most = content.len() as u64;
    let (first, second) = content.split_at(20_000);
    for object in [gzip(&content), [gzip(first), gzip(second)].concat()] {
        let read_at_most = |most_bytes| {
            let reader = LogFileReader::with_buffer(1_000).most_content_bytes(most_bytes);
            read_with(reader, &object)
        };
        let (result, records) = read_at_most(most);
        assert_eq!((result.unwrap().content_bytes, records.len()), (most, 1));
        let (result, _) = read_at_most(most - 1);
        assert_eq!(result, Err(ReadError::TooLarge { limit: most - 1 }));
    }
}

#[test]
fn white_space_costs_nothing_wherever_it_stands() {
    let space = " ".repeat(100_000);
    let text = [
        "{",
        "\"Records\"",
        ":",
        "[",
        STOP,
        ",",
        DELETE,
        "]",
        "}",
        "",
    ]
    .join(&space);
    let (result, records) = read_with(LogFileReader::with_buffer(4096), &gzip(text.as_bytes()));
    assert_eq!(records, [STOP, DELETE]);
    assert!(result.unwrap().problems.is_empty());
}

#[test]
fn a_record_larger_than_the_buffer_is_skipped_and_its_neighbours_are_not() {
    let large = format!(r#"{{"x":"{}\"}}]","y":[{{}}]}}"#, "a".repeat(100_000));
    let object = gzip(&log_file(&[STOP, &large, DELETE]));
    let (result, records) = read_with(LogFileReader::with_buffer(4096), &object);
    let summary = result.unwrap();
    assert_eq!(records, [STOP, DELETE]);
    assert_eq!(summary.skipped, [(SkipReason::TooLarge, 1)]);
    assert_eq!(problems(&summary), [ProblemKind::SkippedTooLarge]);
}

#[test]
fn nesting_of_any_depth_is_passed_over() {
    for depth in [200, 10_000, 300_000] {
        let deep = format!(
            r#"{{"eventName":"A","d":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let (result, records) = read_with(LogFileReader::new(), &gzip(&log_file(&[&deep, STOP])));
        assert_eq!((result.unwrap().problems.len(), records.len()), (0, 2));
    }
}

fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z\"\\\\{}\\[\\],: ]{0,12}".prop_map(|text| serde_json::json!({ "k": text, "n": [1, {"x": null}] }).to_string()),
        1 => Just("{}".to_owned()),
        1 => prop::sample::select(vec!["null", "12", "\"s\"", "[1,[2]]", "true"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_element_is_a_record_or_skipped(elements in prop::collection::vec(element(), 0..40), space in "[ \n\t]{0,3}", buffer in 200_usize..2000) {
        let text = format!("{{{space}\"Records\"{space}:{space}[{space}{}{space}]{space}}}{space}", elements.join(&format!("{space},{space}")));
        let expected: Vec<&String> = elements.iter().filter(|element| element.starts_with('{')).collect();
        for reader in [LogFileReader::new(), LogFileReader::with_buffer(buffer)] {
            let (result, records) = read_with(reader, &gzip(text.as_bytes()));
            prop_assert_eq!(result.unwrap().read, elements.len() as u64);
            prop_assert_eq!(records.iter().collect::<Vec<_>>(), expected.clone());
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_lose_count(elements in prop::collection::vec(element(), 0..10), cut in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3_u8, packed in any::<bool>(), buffer in 2_usize..500) {
        let mut object = log_file(&elements.iter().map(String::as_str).collect::<Vec<_>>());
        if packed {
            object = gzip(&object);
        }
        let at = cut.index(object.len());
        match how {
            0 => object[at] = byte,
            1 => object.truncate(at),
            _ => object.insert(at, byte),
        }
        let _ = read_with(LogFileReader::new(), &object);
        let _ = read_with(LogFileReader::with_buffer(buffer), &object);
    }
}
