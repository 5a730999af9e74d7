//! A sum of `f64` values that is exact until it is read.
//!
//! Floating-point addition rounds at every step, so its result depends on the order, and a value once
//! added cannot be taken out again. Here every value is kept as the integer multiple of 2^-1074 that
//! it is, in a fixed-point number wide enough for all of them, and rounding happens once, at the end.

use std::ops::Range;

/// Bits of one limb that carry value; the rest of its `i64` collects carries.
const LIMB_BITS: u32 = 32;
const LIMB_MASK: u128 = (1 << LIMB_BITS) - 1;
/// 2098 bits for the highest finite value, and 64 for the carries of as many additions as can be.
const LIMBS: usize = 68;
/// A value's 53 bits lie in up to three limbs; two more take its carries.
const LIMBS_OF_A_VALUE: usize = 5;
/// Bit 0 of the lowest limb is worth 2^-1074, the lowest subnormal.
const LOWEST_EXPONENT: i32 = -1074;
/// How many additions the spare bits of a limb hold, with room to spare.
const ADDITIONS_BETWEEN_CARRIES: u32 = 1 << 30;

/// The exact sum of finite values: the same in any order, rounded only when it is read.
#[derive(Debug, Clone)]
pub struct ExactSum {
    /// Little endian; a limb may lie outside 0..2^32 until its carry is passed on.
    limbs: [i64; LIMBS],
    /// Limbs outside of this range are zero; the highest in it has the sign.
    used: Range<usize>,
    additions: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self::new()
    }
}

impl ExactSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self {
            limbs: [0; LIMBS],
            used: LIMBS..LIMBS,
            additions: 0,
        }
    }

    /// Adds a finite value.
    pub fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let fraction = u128::from(bits & ((1 << 52) - 1));
        let biased_exponent = (bits >> 52) & 0x7ff;
        // Subnormals have no hidden bit and the exponent of the lowest normals.
        let (significand, bit) = match biased_exponent {
            0 => (fraction, 0),
            biased => (fraction | (1 << 52), biased as u32 - 1),
        };
        let lowest = (bit / LIMB_BITS) as usize;
        self.make_room(lowest..lowest + LIMBS_OF_A_VALUE);
        let sign = if value.is_sign_negative() { -1 } else { 1 };
        let mut rest = significand << (bit % LIMB_BITS);
        for limb in self.limbs.iter_mut().skip(lowest) {
            let digit = (rest & LIMB_MASK) as i64;
            *limb += digit * sign;
            rest >>= LIMB_BITS;
            if rest == 0 {
                break;
            }
        }
        self.additions += 1;
        if self.additions >= ADDITIONS_BETWEEN_CARRIES {
            self.carry();
        }
    }

    /// Adds all that was added to another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        let mut other = other.clone();
        other.carry();
        if other.used.is_empty() {
            return;
        }
        self.make_room(other.used.clone());
        for (limb, more) in self.limbs.iter_mut().zip(other.limbs) {
            *limb += more;
        }
        self.additions += 1;
        if self.additions >= ADDITIONS_BETWEEN_CARRIES {
            self.carry();
        }
    }

    fn make_room(&mut self, limbs: Range<usize>) {
        self.used = match self.used.start < self.used.end {
            true => self.used.start.min(limbs.start)..self.used.end.max(limbs.end),
            false => limbs,
        };
    }

    /// Adds a finite value so many times. Whole numbers, which is what is counted, cost one addition.
    pub(crate) fn add_times(&mut self, value: f64, count: u64) {
        const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        let product = value * count as f64;
        if value.fract() == 0.0 && product.abs() < EXACT && (count as f64) < EXACT {
            self.add(product);
        } else {
            (0..count).for_each(|_| self.add(value));
        }
    }

    /// The sum, rounded once: to nearest, ties to even; beyond the range of `f64` it is infinite.
    pub fn value(&self) -> f64 {
        let mut magnitude = self.clone();
        magnitude.carry();
        let is_negative = magnitude
            .used_limbs()
            .last()
            .is_some_and(|&highest| highest < 0);
        if is_negative {
            magnitude.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            magnitude.carry();
        }
        let rounded = magnitude.round();
        if is_negative { -rounded } else { rounded }
    }

    fn used_limbs(&self) -> &[i64] {
        self.limbs.get(self.used.clone()).unwrap_or_default()
    }

    /// Passes carries on, so that all limbs but the highest lie in 0..2^32; the highest has the sign.
    fn carry(&mut self) {
        self.additions = 0;
        let used = self.limbs.get_mut(self.used.clone()).unwrap_or_default();
        let Some((highest, lower)) = used.split_last_mut() else {
            return;
        };
        let mut carry = 0;
        for limb in lower {
            let total = *limb + carry;
            *limb = total & LIMB_MASK as i64;
            carry = total >> LIMB_BITS;
        }
        *highest += carry;
    }

    /// The nearest `f64` of a sum that is not negative and has its carries passed on.
    fn round(&self) -> f64 {
        let limbs = self.used_limbs();
        let Some(highest) = limbs.iter().rposition(|&limb| limb != 0) else {
            return 0.0;
        };
        // Three limbs hold at least 65 bits: enough to round, once it is known if any lower bit is set.
        let lowest = highest.saturating_sub(2);
        let (below, upwards) = limbs.split_at(lowest);
        let top = upwards.iter().take(3).rev();
        let top = top.fold(0_u128, |sum, &limb| (sum << LIMB_BITS) | limb as u128);
        let is_inexact = below.iter().any(|&limb| limb != 0);
        let significand = (top | u128::from(is_inexact)) as f64;
        // Scaling is exact: a result small enough to be subnormal has no bits to lose.
        let exponent = LOWEST_EXPONENT + LIMB_BITS as i32 * (self.used.start + lowest) as i32;
        let half = exponent / 2;
        significand * power_of_two(half) * power_of_two(exponent - half)
    }
}

/// 2^`exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::new();
        values.iter().for_each(|&value| sum.add(value));
        sum.value()
    }

    #[test]
    fn adding_a_value_many_times_is_adding_it_again_and_again() {
        for value in [1.0, -3.0, 0.1, 2.5, f64::MAX, f64::MIN_POSITIVE, 9e15] {
            for count in [0, 1, 7, 1000] {
                let (mut at_once, mut one_by_one) = (ExactSum::new(), ExactSum::new());
                at_once.add(0.3);
                one_by_one.add(0.3);
                at_once.add_times(value, count);
                (0..count).for_each(|_| one_by_one.add(value));
                assert_eq!(at_once.value(), one_by_one.value(), "{value} x {count}");
            }
        }
    }

    #[test]
    fn what_a_large_value_swallows_is_there_again_when_it_is_gone() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1.0]), 1e16 + 2.0);
        assert_eq!(
            sum(&[f64::MAX, f64::from_bits(1), -f64::MAX]),
            f64::from_bits(1)
        );
    }

    #[test]
    fn only_a_sum_that_ends_out_of_range_is_infinite() {
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MIN, f64::MIN]), f64::NEG_INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, f64::MIN]), f64::MAX);
    }

    #[test]
    fn halves_round_to_even_and_anything_more_rounds_up() {
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]), 1.0);
        assert_eq!(sum(&[1.0, half, f64::from_bits(1)]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0 + f64::EPSILON, half]), 1.0 + 2.0 * f64::EPSILON);
    }

    #[test]
    fn nothing_and_what_cancels_are_zero() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[-0.0]), 0.0);
        assert_eq!(sum(&[-2.5, 2.5]), 0.0);
    }

    #[test]
    fn subnormals_add_up_into_normals() {
        let lowest = f64::from_bits(1);
        assert_eq!(
            sum(&[f64::MIN_POSITIVE, -lowest]),
            f64::MIN_POSITIVE - lowest
        );
        assert_eq!(sum(&[lowest; 3]), f64::from_bits(3));
        assert_eq!(sum(&[-lowest; 3]), -f64::from_bits(3));
    }

    #[test]
    fn merging_adds_what_the_other_has() {
        let mut left = ExactSum::new();
        let mut right = ExactSum::new();
        [0.1, 1e16, -0.3].iter().for_each(|value| left.add(*value));
        [-1e16, 0.3, 1e300, -1e300]
            .iter()
            .for_each(|value| right.add(*value));
        left.merge(&right);
        left.merge(&ExactSum::new());
        assert_eq!(left.value(), 0.1);
        let mut empty = ExactSum::new();
        empty.merge(&left);
        assert_eq!(empty.value(), 0.1);
    }

    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |value| value.is_finite())
    }

    proptest! {
        #[test]
        fn two_values_add_up_as_the_processor_adds_them(a in finite(), b in finite()) {
            prop_assert_eq!(sum(&[a, b]), a + b);
        }

        #[test]
        fn integers_add_up_as_integers(values in prop::collection::vec(-(1_i64 << 53)..1 << 53, 0..50)) {
            let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
            let exact: i128 = values.iter().map(|&value| i128::from(value)).sum();
            prop_assert_eq!(sum(&floats), exact as f64);
        }

        #[test]
        fn order_does_not_matter_and_what_is_taken_out_is_gone(
            values in prop::collection::vec(finite(), 0..20),
            passing in prop::collection::vec(finite(), 0..20),
        ) {
            let mut other = ExactSum::new();
            passing.iter().for_each(|&value| other.add(value));
            values.iter().rev().for_each(|&value| other.add(value));
            passing.iter().for_each(|&value| other.add_times(-value, 1));
            prop_assert_eq!(other.value(), sum(&values));
        }
    }
}
