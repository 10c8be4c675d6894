import Foundation

/// The product's colour, and the shades that the pages need of it.
///
/// Every colour is readable. Where it is text, or lies behind text, a shade of it is taken that has a contrast of at least
/// 4.5 to 1 (WCAG 2, AA), in the light theme and in the dark one.
public struct AccentColor: Sendable, Hashable {
    private let color: Shade

    /// Reads `#rrggbb`.
    public init?(_ text: String) {
        guard text.utf8.count == 7, text.first == "#", text.dropFirst().allSatisfy(\.isHexDigit),
            let number = UInt32(text.dropFirst(), radix: 16)
        else { return nil }
        color = Shade(hexadecimal: number)
    }

    /// The colour as the page's icon has it: `0b6357`.
    var digits: String { String(color.description.dropFirst()) }

    /// The rules that replace the colours of `dashboard.css`.
    var stylesheet: String {
        ":root { \(Theme.light(color).rules) }\n"
            + "@media (prefers-color-scheme: dark) {\n  :root { \(Theme.dark(color).rules) }\n}\n"
    }

    /// What the two themes make of a colour.
    struct Theme {
        /// Links and marks: readable on every ground of the theme.
        let accent: Shade
        /// The same under the pointer, and on ``soft``.
        let strong: Shade
        /// Text on ``accent``.
        let onAccent: Shade
        /// A ground with a tint.
        let soft: Shade
        /// Buttons: the colour itself, if it can be seen beside the ground.
        let button: Shade
        /// The same under the pointer.
        let buttonStrong: Shade
        /// Text on ``button``.
        let onButton: Shade

        /// The darkest ground of `dashboard.css` in the light theme, and the lightest in the dark one.
        static let grounds = (light: Shade(hexadecimal: 0xF0F1EC), dark: Shade(hexadecimal: 0x1A201E))

        static func light(_ color: Shade) -> Theme {
            Theme(color, ground: grounds.light, card: .white, away: .black, tint: 0.1)
        }

        static func dark(_ color: Shade) -> Theme {
            Theme(color, ground: grounds.dark, card: grounds.dark, away: .white, tint: 0.16)
        }

        /// - Parameters:
        ///   - away: Where shades go that are to be told from the ground: black or white.
        ///   - tint: How much of the colour ``soft`` has.
        private init(_ color: Shade, ground: Shade, card: Shade, away: Shade, tint: Double) {
            func readable(_ share: Double) -> (accent: Shade, soft: Shade)? {
                let accent = color.mixed(with: away, share)
                let soft = card.mixed(with: accent, tint)
                let isReadable = [ground, card, soft].allSatisfy { accent.contrast(with: $0) >= Shade.readable }
                return isReadable ? (accent, soft) : nil
            }
            // Black and white are readable on every ground, so there is always one.
            let found = stride(from: 0, to: 1, by: 0.02).lazy.compactMap(readable).first
            accent = found?.accent ?? away
            soft = found?.soft ?? ground
            strong = accent.mixed(with: away, 0.25)
            onAccent = accent.textOnIt
            button = color.contrast(with: card) >= 1.25 ? color : accent
            onButton = button.textOnIt
            buttonStrong = button.mixed(with: onButton == .white ? .black : .white, 0.15)
        }

        fileprivate var rules: String {
            [
                ("accent", accent), ("accent-strong", strong), ("on-accent", onAccent), ("accent-soft", soft),
                ("button", button), ("button-strong", buttonStrong), ("on-button", onButton),
            ].map { "--\($0.0): \($0.1);" }.joined(separator: " ")
        }
    }

    /// One colour of a screen.
    struct Shade: Sendable, Hashable, CustomStringConvertible {
        private let red: UInt8
        private let green: UInt8
        private let blue: UInt8

        static let white = Shade(hexadecimal: 0xFFFFFF)
        static let black = Shade(hexadecimal: 0x000000)
        /// The contrast that text needs.
        static let readable = 4.5

        init(hexadecimal number: UInt32) {
            red = UInt8(truncatingIfNeeded: number >> 16)
            green = UInt8(truncatingIfNeeded: number >> 8)
            blue = UInt8(truncatingIfNeeded: number)
        }

        private init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
            (self.red, self.green, self.blue) = (red, green, blue)
        }

        /// Black or white, whichever is easier to read on this colour: 4.5 to 1 or more on any.
        var textOnIt: Shade { contrast(with: .white) >= contrast(with: .black) ? .white : .black }

        /// This colour with a share of another.
        func mixed(with other: Shade, _ share: Double) -> Shade {
            func mix(_ own: UInt8, _ foreign: UInt8) -> UInt8 {
                UInt8((Double(own) + (Double(foreign) - Double(own)) * share).rounded())
            }
            return Shade(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
        }

        /// WCAG 2's contrast ratio, from 1 to 21.
        func contrast(with other: Shade) -> Double {
            let (one, another) = (luminance, other.luminance)
            return (max(one, another) + 0.05) / (min(one, another) + 0.05)
        }

        private var luminance: Double {
            func linear(_ part: UInt8) -> Double {
                let value = Double(part) / 255
                return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
            }
            return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        }

        var description: String {
            let number = UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue)
            let digits = String(number, radix: 16)
            return "#" + String(repeating: "0", count: 6 - digits.count) + digits
        }
    }
}
