#!/usr/bin/env python3
"""What the stack costs a month, and what the same events cost in CloudWatch Logs.

usage: costs.py            prints the tables of docs/costs.md
       costs.py --check    says whether docs/costs.md has them as they are printed
       costs.py --write    writes them there

All there is to change stands at the top: prices, volumes, assumptions. Free tiers are not subtracted.
"""

import sys
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "costs.md"
BEGIN = "<!-- tables: written by infra/costs.py -->"
END = "<!-- end of tables -->"

# Dollars in us-east-1, as known in November 2026. To be checked against the price lists of AWS.
PRICES = {
    "Lambda, a million requests": 0.20,
    "Lambda on arm64, a GB-second": 0.0000133334,
    "SQS standard, a million requests": 0.40,
    "SQS FIFO, a million requests": 0.50,
    "EventBridge, a million opt-in events of S3": 1.00,
    "EventBridge Scheduler, a million invocations": 1.00,
    "S3, a million GET requests": 0.40,
    "S3, a million LIST requests": 5.00,
    "DynamoDB on demand, a million write units": 0.625,
    "DynamoDB on demand, a million read units": 0.125,
    "DynamoDB, a GB stored for a month": 0.25,
    "DynamoDB point-in-time recovery, a GB for a month": 0.20,
    "CloudWatch Logs, a GB ingested": 0.50,
    "CloudWatch Logs, a GB stored for a month, compressed": 0.03,
    "CloudWatch, a custom metric for a month": 0.30,
    "CloudWatch, a metric of an alarm for a month": 0.10,
    "CloudWatch, a dashboard for a month": 3.00,
    "KMS, a key for a month": 1.00,
    "KMS, 10,000 requests": 0.03,
    "SNS, a million requests": 0.50,
    "SNS, 100,000 mails": 2.00,
}

# For each volume: events a month, events in a log file, messages told a month. For each log file, as measured with
# that many events in it: bytes of evidence in profile `recommended`, of these the bytes of ApiActivityWithoutMFA, and
# messages to the match queue.
VOLUMES = [
    {"events": 1_000_000, "events_in_file": 40, "told": 100, "evidence": 29_400, "without_mfa": 29_100, "matches": 0.16},
    {"events": 10_000_000, "events_in_file": 100, "told": 300, "evidence": 42_000, "without_mfa": 41_100, "matches": 0.45},
    {"events": 100_000_000, "events_in_file": 200, "told": 1_000, "evidence": 43_400, "without_mfa": 41_300, "matches": 0.78},
]

HOURS = 730
REGIONS = 17  # those that are on by default
DIGEST_FILES = HOURS * REGIONS  # one an hour for each
TICKS = HOURS * 12
RUNS = HOURS  # of the digest validator
MONTHS_OF_HISTORY = 12
DAYS_OF_HISTORY = 365

# Assumed. The times have AWS's own latencies in them; without these 10 to 30 ms were measured for a file.
SECONDS_OF_A_FILE = 0.10
SECONDS_OF_A_MATCH = 0.15
LOG_PROCESSOR_GB = 0.5
ALARM_NOTIFIER_GB = 0.25
# A mapping begins with five pollers that ask for 20 seconds each, also when nothing comes.
EMPTY_POLLS = 5 * 3 * 60 * HOURS
WRITES_OF_A_FILE = 2  # the claim and the end of it, each under 1 KB
BYTES_OF_A_LEDGER_ENTRY = 700
MONTHS_IN_LEDGER = 1.5
# Of a match message: those of an incident that is told (docs/performance.md), as an upper bound.
READS_OF_A_MATCH = 6
WRITES_OF_A_MATCH = 6
WRITE_UNITS_OF_A_WRITE = 3  # samples and evidence are some KB, and the head is in an index, too
# Of a run of the digest validator, as counted in one over a single Region with 2, 8 and 40 log files an hour.
LISTS_OF_A_RUN = 3  # accounts and Regions
LISTS_OF_A_CHAIN = 5  # digest files, four folders of log files
KEYS_OF_A_LIST = 1_000
LISTED_HOURS = 60  # the window, and what lies before it in the folders of its days
GETS_OF_A_FILE = 2  # when it is new, and one hour of the window again in each run
READS_OF_A_RUN = 2
READS_OF_A_CHAIN = 2
BYTES_OF_A_READ_UNIT = 4_096
WINDOW_HOURS = 49
WRITE_UNITS_OF_A_RUN = 2
WRITE_UNITS_OF_A_CHAIN = 5  # twice the checkpoint, of less than 2 KB, and what no digest lists yet
BYTES_OF_A_DIGEST = 500  # in the window
BYTES_OF_A_LOG = 250
# Assumed, with AWS's own latencies: requests of a chain that wait for each other, and a file of 32 that are read at a time.
SECONDS_OF_A_CHAIN = 0.5
SECONDS_OF_A_VALIDATED_FILE = 0.005
SECONDS_OF_A_LONG_RUN = 14 * 60
DIGEST_VALIDATOR_GB = 0.5
LISTS_OF_A_DAY_OF_HISTORY = 4
# START, END and REPORT (400), the log line (400), the metrics (700, measured).
LOG_BYTES_OF_AN_INVOCATION = 1_500
EVIDENCE_MONTHS = 3
LOG_MONTHS = 1
COMPRESSED = 0.15
BYTES_OF_AN_EVENT = 1_408 + 26  # compact JSON in samples/, and what CloudWatch Logs adds to each log event
# Metrics in every hour, five of them of the digest validator, and metrics in a quarter of the hours.
OWN_METRICS = 10 + 5 + 9 * 0.25
# Of the 19 filters two match in every hour, the others in one of twenty.
FILTER_METRICS = 2 + 17 * 0.05
NATIVE_ALARMS = 19
OWN_ALARM_METRICS = 17


def million(count: float, price: str) -> float:
    return count / 1e6 * PRICES[price]


def gigabytes(count: float, price: str) -> float:
    return count / 1e9 * PRICES[price]


def logs(count: float, months: float) -> float:
    """So many bytes a month into CloudWatch Logs, kept for so many months."""
    kept = count * months * COMPRESSED
    return gigabytes(count, "CloudWatch Logs, a GB ingested") + gigabytes(
        kept, "CloudWatch Logs, a GB stored for a month, compressed"
    )


def validation(files: float) -> dict[str, float]:
    """What the digest validator does for so many log files a month."""
    chains = RUNS * REGIONS
    logs_of_a_digest = files / DIGEST_FILES
    more_pages = logs_of_a_digest * LISTED_HOURS / KEYS_OF_A_LIST
    lists = RUNS * LISTS_OF_A_RUN + chains * (LISTS_OF_A_CHAIN + more_pages)
    gets = GETS_OF_A_FILE * (files + DIGEST_FILES)
    in_window = BYTES_OF_A_DIGEST + logs_of_a_digest * BYTES_OF_A_LOG
    window_units = WINDOW_HOURS * in_window / BYTES_OF_A_READ_UNIT
    reads = RUNS * READS_OF_A_RUN + chains * (READS_OF_A_CHAIN + window_units) + files
    writes = RUNS * WRITE_UNITS_OF_A_RUN + chains * (WRITE_UNITS_OF_A_CHAIN + 1 + in_window // 1_024)
    seconds = chains * SECONDS_OF_A_CHAIN + gets * SECONDS_OF_A_VALIDATED_FILE
    return {
        "Validation, S3": million(lists, "S3, a million LIST requests") + million(gets, "S3, a million GET requests"),
        "Validation, Lambda and DynamoDB": million(RUNS, "Lambda, a million requests")
        + million(RUNS, "EventBridge Scheduler, a million invocations")
        + seconds * DIGEST_VALIDATOR_GB * PRICES["Lambda on arm64, a GB-second"]
        + million(writes, "DynamoDB on demand, a million write units")
        + million(reads, "DynamoDB on demand, a million read units"),
    }


def first_run(volume: dict) -> dict[str, float]:
    """What it costs once to validate the history: dollars, and how many runs it takes."""
    months = MONTHS_OF_HISTORY
    gets = months * (volume["events"] / volume["events_in_file"] + DIGEST_FILES)
    lists = DAYS_OF_HISTORY * REGIONS * LISTS_OF_A_DAY_OF_HISTORY + gets / KEYS_OF_A_LIST
    seconds = gets * SECONDS_OF_A_VALIDATED_FILE
    return {
        "S3": million(lists, "S3, a million LIST requests") + million(gets, "S3, a million GET requests"),
        "Lambda": seconds * DIGEST_VALIDATOR_GB * PRICES["Lambda on arm64, a GB-second"],
        "runs": -(-seconds // SECONDS_OF_A_LONG_RUN),
    }


def stack(volume: dict) -> dict[str, float]:
    """The stack, by component. Those that are fixed come first."""
    files = volume["events"] / volume["events_in_file"]
    announced = files + DIGEST_FILES
    matches = files * volume["matches"]
    invocations = announced + matches + TICKS + RUNS
    seconds = "Lambda on arm64, a GB-second"
    stored = files * BYTES_OF_A_LEDGER_ENTRY * MONTHS_IN_LEDGER
    return {
        "Native alarms of the 19 filters": NATIVE_ALARMS * PRICES["CloudWatch, a metric of an alarm for a month"],
        "Alarms of the stack on itself": OWN_ALARM_METRICS * PRICES["CloudWatch, a metric of an alarm for a month"],
        "Dashboard": PRICES["CloudWatch, a dashboard for a month"],
        "KMS key of the topic": PRICES["KMS, a key for a month"] + volume["told"] * 2 / 1e4 * PRICES["KMS, 10,000 requests"],
        "Metrics of the stack on itself": OWN_METRICS * PRICES["CloudWatch, a custom metric for a month"],
        "Metrics of the filters": FILTER_METRICS * PRICES["CloudWatch, a custom metric for a month"],
        "SQS, empty polls of two queues": million(EMPTY_POLLS, "SQS standard, a million requests")
        + million(EMPTY_POLLS, "SQS FIFO, a million requests"),
        "Ticks (Scheduler)": million(TICKS, "EventBridge Scheduler, a million invocations"),
        "EventBridge, notifications of S3": million(announced, "EventBridge, a million opt-in events of S3"),
        "SQS, messages": million(3 * announced, "SQS standard, a million requests")
        + million(3 * matches, "SQS FIFO, a million requests"),
        "Lambda": million(announced + matches + TICKS, "Lambda, a million requests")
        + announced * SECONDS_OF_A_FILE * LOG_PROCESSOR_GB * PRICES[seconds]
        + (matches + TICKS) * SECONDS_OF_A_MATCH * ALARM_NOTIFIER_GB * PRICES[seconds],
        "S3, reading log files": million(files, "S3, a million GET requests"),
        "DynamoDB": million(
            files * WRITES_OF_A_FILE + matches * WRITES_OF_A_MATCH * WRITE_UNITS_OF_A_WRITE,
            "DynamoDB on demand, a million write units",
        )
        + million(matches * READS_OF_A_MATCH + TICKS, "DynamoDB on demand, a million read units")
        + gigabytes(stored, "DynamoDB, a GB stored for a month")
        + gigabytes(stored, "DynamoDB point-in-time recovery, a GB for a month"),
        "Evidence log, ApiActivityWithoutMFA": logs(files * volume["without_mfa"], EVIDENCE_MONTHS),
        "Evidence log, all other filters": logs(files * (volume["evidence"] - volume["without_mfa"]), EVIDENCE_MONTHS),
        **validation(files),
        "Logs of the functions": logs(invocations * LOG_BYTES_OF_AN_INVOCATION, LOG_MONTHS),
        "SNS, with mail to one address": million(volume["told"], "SNS, a million requests")
        + volume["told"] / 1e5 * PRICES["SNS, 100,000 mails"],
    }


def cloudwatch_logs(volume: dict) -> dict[str, float]:
    """The same events in CloudWatch Logs, with metric filters and alarms."""
    events = volume["events"] * BYTES_OF_AN_EVENT
    kept = events * EVIDENCE_MONTHS * COMPRESSED
    return {
        "Alarms of the 19 filters": NATIVE_ALARMS * PRICES["CloudWatch, a metric of an alarm for a month"],
        "Metrics of the filters": FILTER_METRICS * PRICES["CloudWatch, a custom metric for a month"],
        "Ingestion": gigabytes(events, "CloudWatch Logs, a GB ingested"),
        "Storage for 90 days": gigabytes(kept, "CloudWatch Logs, a GB stored for a month, compressed"),
    }


def dollars(amount: float) -> str:
    return f"{amount:,.2f}"


def row(name: str, cells: list[str]) -> str:
    return "| " + " | ".join([name, *cells]) + " |"


def table(components: list[dict[str, float]], heading: str) -> list[str]:
    rows = [row(heading, [f"{volume['events'] // 1_000_000} million" for volume in VOLUMES]), row("---", ["---:"] * len(VOLUMES))]
    for name in components[0]:
        rows.append(row(name, [dollars(each[name]) for each in components]))
    rows.append(row("**all**", [f"**{dollars(sum(each.values()))}**" for each in components]))
    return rows


def break_even(volume: dict) -> int:
    """How many million events a month cost the same both ways, in log files as those of this volume."""
    for million_events in range(1, 1_000):
        same = volume | {"events": million_events * 1_000_000}
        if sum(stack(same).values()) <= sum(cloudwatch_logs(same).values()):
            return million_events
    raise ValueError("CloudWatch Logs is always cheaper")


def tables() -> str:
    counts = [
        row("events a month", [f"{volume['events']:,}" for volume in VOLUMES]),
        row("---", ["---:"] * len(VOLUMES)),
        row("events in a log file", [str(volume["events_in_file"]) for volume in VOLUMES]),
        row("log files a month", [f"{volume['events'] // volume['events_in_file']:,}" for volume in VOLUMES]),
        row("evidence of a log file, bytes", [f"{volume['evidence']:,}" for volume in VOLUMES]),
        row("of it ApiActivityWithoutMFA", [f"{volume['without_mfa']:,}" for volume in VOLUMES]),
        row("match messages of a log file", [str(volume["matches"]) for volume in VOLUMES]),
        row("messages told a month", [f"{volume['told']:,}" for volume in VOLUMES]),
    ]
    stacks = [stack(volume) for volume in VOLUMES]
    without = [sum(each.values()) - each["Evidence log, ApiActivityWithoutMFA"] for each in stacks]
    firsts = [first_run(volume) for volume in VOLUMES]
    history = [
        row("a year of history, once", [f"{volume['events'] // 1_000_000} million" for volume in VOLUMES]),
        row("---", ["---:"] * len(VOLUMES)),
        *(row(f"{name}, dollars", [dollars(each[name]) for each in firsts]) for name in ("S3", "Lambda")),
        row("runs, one an hour", [f"{each['runs']:.0f}" for each in firsts]),
    ]
    parts = [
        counts,
        table(stacks, "Trailwarden, dollars a month"),
        ["Without the filter ApiActivityWithoutMFA: " + ", ".join(dollars(each) for each in without) + " dollars."],
        history,
        table([cloudwatch_logs(volume) for volume in VOLUMES], "CloudWatch Logs, dollars a month"),
        ["Both cost the same at: " + ", ".join(
            f"{break_even(volume)} million events with {volume['events_in_file']} in a log file" for volume in VOLUMES) + "."],
        [row("price", ["dollars"]), "| --- | ---: |", *(row(name, [f"{price:.10f}".rstrip("0").rstrip(".")]) for name, price in PRICES.items())],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def main(arguments: list[str]) -> int:
    if arguments == []:
        print(tables())
        return 0
    if arguments not in (["--check"], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = DOCUMENT.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{DOCUMENT} has no place for the tables, expected `{BEGIN}` and `{END}`", file=sys.stderr)
        return 2
    expected = f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"
    if arguments == ["--write"]:
        DOCUMENT.write_text(expected, encoding="utf-8")
        return 0
    if text != expected:
        print("docs/costs.md differs from what infra/costs.py prints; run `python3 infra/costs.py --write`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
