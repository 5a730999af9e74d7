//! Numbers as they are written, compared exactly.

use std::cmp::Ordering;

/// A number literal of a pattern, with the text it was written with.
/// Filter pattern rules, section 2 (`number`) and D20.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberLiteral {
    text: String,
}

impl NumberLiteral {
    /// `None` if the text is not wholly a number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_number_literal(text).then(|| NumberLiteral {
            text: text.to_owned(),
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How `number` stands to this literal; `None` if it is no number.
    pub(crate) fn ordering_of(&self, number: &str) -> Option<Ordering> {
        Some(compare(
            &Decimal::read(number)?,
            &Decimal::read(&self.text)?,
        ))
    }
}

/// Is this a number as patterns write them: a sign, digits, a point on either side of them, an exponent?
pub(crate) fn is_number_literal(text: &str) -> bool {
    Decimal::read(text).is_some()
}

/// The value as a machine number, for metric values: finite or nothing.
pub(crate) fn finite(text: &str) -> Option<f64> {
    let value: f64 = Decimal::read(text).and_then(|_| text.parse().ok())?;
    value.is_finite().then_some(value)
}

/// A number taken apart, not computed: neither long digits nor huge exponents cost more than their
/// text.
#[derive(Debug)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: Exponent<'a>,
}

#[derive(Debug)]
struct Exponent<'a> {
    negative: bool,
    /// Without leading zeros.
    digits: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negative, rest) = sign(text);
        let (whole, rest) = digits(rest);
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.strip_prefix(['e', 'E']) {
            None if rest.is_empty() => "0",
            None => return None,
            Some(exponent) => exponent,
        };
        let (exponent_negative, exponent) = sign(exponent);
        let (exponent, rest) = digits(exponent);
        (rest.is_empty() && !exponent.is_empty()).then_some(Decimal {
            negative,
            whole,
            fraction,
            exponent: Exponent {
                negative: exponent_negative,
                digits: exponent.trim_start_matches('0'),
            },
        })
    }

    fn all_digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    fn significant_digits(&self) -> impl Iterator<Item = u8> {
        self.all_digits().skip_while(|digit| *digit == b'0')
    }

    fn is_zero(&self) -> bool {
        self.significant_digits().next().is_none()
    }

    /// How far the first significant digit stands before the point, the exponent aside.
    fn lead(&self) -> i128 {
        let zeros = self.all_digits().take_while(|digit| *digit == b'0').count();
        as_i128(self.whole.len()) - as_i128(zeros)
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The digits a text starts with, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(count).unwrap_or(("", text))
}

fn as_i128(length: usize) -> i128 {
    i128::try_from(length).unwrap_or(i128::MAX)
}

fn compare(left: &Decimal<'_>, right: &Decimal<'_>) -> Ordering {
    match (signum(left), signum(right)) {
        (1, 1) => compare_magnitudes(left, right),
        (-1, -1) => compare_magnitudes(right, left),
        (left, right) => left.cmp(&right),
    }
}

fn signum(number: &Decimal<'_>) -> i8 {
    match (number.is_zero(), number.negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    }
}

/// Neither number is zero.
fn compare_magnitudes(left: &Decimal<'_>, right: &Decimal<'_>) -> Ordering {
    let exponents = exponent_difference(&left.exponent, &right.exponent);
    let places = exponents + left.lead() - right.lead();
    places.cmp(&0).then_with(|| {
        let longest = left.all_digits().count().max(right.all_digits().count());
        padded(left, longest).cmp(padded(right, longest))
    })
}

/// The significant digits, with zeros behind them up to `length`.
fn padded<'a>(number: &'a Decimal<'_>, length: usize) -> impl Iterator<Item = u8> + use<'a> {
    let zeros = std::iter::repeat(b'0');
    number.significant_digits().chain(zeros).take(length)
}

/// `left - right`, exact up to a bound that no difference of digit counts reaches.
///
/// INVARIANT: a difference at the bound stays there, since no further digits outweigh ten times as
/// much; so the sign is right and the distance from zero large.
fn exponent_difference(left: &Exponent<'_>, right: &Exponent<'_>) -> i128 {
    const BOUND: i128 = 1_000_000_000_000_000_000_000_000_000_000;
    let longest = left.digits.len().max(right.digits.len());
    let pairs = left.aligned(longest).zip(right.aligned(longest));
    pairs.fold(0, |difference: i128, (left, right)| {
        (difference * 10 + left - right).clamp(-BOUND, BOUND)
    })
}

impl Exponent<'_> {
    /// The signed digits, with zeros before them up to `length`.
    fn aligned(&self, length: usize) -> impl Iterator<Item = i128> {
        let sign = if self.negative { -1 } else { 1 };
        std::iter::repeat_n(b'0', length.saturating_sub(self.digits.len()))
            .chain(self.digits.bytes())
            .map(move |digit| sign * i128::from(digit.saturating_sub(b'0')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordering(left: &str, right: &str) -> Ordering {
        let right = NumberLiteral::parse(right).expect(right);
        right.ordering_of(left).expect(left)
    }

    #[test]
    fn literals_may_have_a_sign_a_bare_point_and_an_exponent() {
        for text in ["0", "007", "+5", "-5", "1.", ".5", "-.5e-3", "1.e3", "1E+9"] {
            assert!(is_number_literal(text), "{text}");
        }
        for text in [
            "", ".", "+", "-", "e3", "1e", "1e+", "1.2.3", "--1", "1 ", "0x1", "1_0", "inf", "NaN",
            "4*",
        ] {
            assert!(!is_number_literal(text), "{text}");
        }
    }

    #[test]
    fn equal_values_are_equal_however_written() {
        for (left, right) in [
            ("12.0", "12"),
            ("1e3", "1000"),
            ("0.001", "1e-3"),
            ("-0", "0.00e99"),
            ("100e-2", "+01.0"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890.000",
            ),
            ("0.00012e5", "12"),
        ] {
            assert_eq!(ordering(left, right), Ordering::Equal, "{left} {right}");
        }
    }

    #[test]
    fn no_digit_is_lost_beyond_64_bits() {
        assert_eq!(
            ordering("9007199254740993", "9007199254740992"),
            Ordering::Greater
        );
        assert_eq!(
            ordering("18446744073709551616", "18446744073709551615"),
            Ordering::Greater
        );
        assert_eq!(
            ordering("-9223372036854775809", "-9223372036854775808"),
            Ordering::Less
        );
        assert_eq!(
            ordering("0.1", "0.10000000000000000000000001"),
            Ordering::Less
        );
    }

    #[test]
    fn exponents_of_any_length_compare_exactly() {
        let nines = "9".repeat(50);
        let next = format!("1{}", "0".repeat(50));
        assert_eq!(
            ordering(&format!("1e{next}"), &format!("1e{nines}")),
            Ordering::Greater
        );
        assert_eq!(
            ordering(&format!("10e{nines}"), &format!("1e{next}")),
            Ordering::Equal
        );
        assert_eq!(
            ordering(&format!("0.1e-{nines}"), &format!("1e-{next}")),
            Ordering::Equal
        );
        assert_eq!(
            ordering(&format!("-1e{next}"), &format!("1e-{next}")),
            Ordering::Less
        );
        assert_eq!(ordering(&format!("1e-{next}"), "0"), Ordering::Greater);
        assert_eq!(ordering("5e999999999", "6"), Ordering::Greater);
    }

    #[test]
    fn only_finite_numbers_become_metric_values() {
        assert_eq!(finite("1.5e3"), Some(1500.0));
        assert_eq!(finite("-.5"), Some(-0.5));
        for text in ["1e999", "inf", "NaN", "", "0x10", "1 "] {
            assert_eq!(finite(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn integers_compare_as_integers(left: i128, right: i128, shift in 0usize..30) {
            let shifted = format!("{right}{}e-{shift}", "0".repeat(shift));
            proptest::prop_assert_eq!(ordering(&left.to_string(), &shifted), left.cmp(&right));
        }
    }
}
