import Testing

@testable import KeybearerServer

/// An ``AccentColor`` is readable in both themes, whatever it is.
@Suite struct AccentColorTests {
    private typealias Shade = AccentColor.Shade

    @Test("Text has a contrast of 4.5 to 1 on every ground, for colours from all over the cube")
    func readable() {
        let inks = (light: Shade(hexadecimal: 0x1B2320), dark: Shade(hexadecimal: 0xE7ECE9))
        var problems: [String] = []
        for number in stride(from: UInt32(0), through: 0xFFFFFF, by: 4_099) {
            let color = Shade(hexadecimal: number)
            for (theme, card, ink) in [
                (AccentColor.Theme.light(color), Shade.white, inks.light),
                (AccentColor.Theme.dark(color), AccentColor.Theme.grounds.dark, inks.dark),
            ] {
                let ground = card == .white ? AccentColor.Theme.grounds.light : card
                let pairs = [
                    (theme.accent, ground), (theme.accent, card), (theme.accent, theme.soft), (theme.strong, ground),
                    (theme.strong, theme.soft), (theme.onAccent, theme.accent), (theme.onAccent, theme.strong),
                    (theme.onButton, theme.button), (theme.onButton, theme.buttonStrong), (ink, theme.soft),
                ]
                for (place, pair) in pairs.enumerated() where pair.0.contrast(with: pair.1) < Shade.readable {
                    problems.append("\(color) pair \(place): \(pair.0) on \(pair.1)")
                }
                if theme.button.contrast(with: card) < 1.25 { problems.append("\(color): no one sees its buttons") }
            }
        }
        #expect(problems.isEmpty, "\(problems.count): \(problems.prefix(5))")
    }

    @Test("A colour that is readable stays as it is, one that is not keeps its buttons")
    func shades() {
        let teal = AccentColor.Theme.light(Shade(hexadecimal: 0x0B6357))
        #expect("\(teal.accent) \(teal.onAccent) \(teal.button)" == "#0b6357 #ffffff #0b6357")
        let yellow = AccentColor.Theme.light(Shade(hexadecimal: 0xFFD600))
        #expect("\(yellow.button) \(yellow.onButton)" == "#ffd600 #000000" && "\(yellow.accent)" != "#ffd600")
        let navy = AccentColor.Theme.dark(Shade(hexadecimal: 0x0A1440))
        #expect(navy.button == navy.accent && navy.onButton == .black)
    }

    @Test("The contrast is that of WCAG 2")
    func contrast() {
        #expect(Shade.white.contrast(with: .black) == 21)
        let grey = Shade(hexadecimal: 0x767676).contrast(with: .white)
        #expect((4.54...4.55).contains(grey))
    }

    @Test("Its grounds are those of the style sheet, whose colours its rules replace")
    func stylesheet() throws {
        let dashboard = DashboardAssets.stylesheetText
        #expect(dashboard.contains("--sunken: \(AccentColor.Theme.grounds.light);"))
        #expect(dashboard.contains("--surface: \(AccentColor.Theme.grounds.dark);"))
        let rules = try #require(AccentColor("#FFD600")).stylesheet
        let names = rules.matches(of: /--[a-z-]+(?=:)/).map { String($0.0) }
        #expect(names.count == 14 && Set(names).count == 7)
        for name in Set(names) {
            #expect(dashboard.contains("\(name): ") && dashboard.contains("var(\(name))"), "\(name)")
        }
        #expect(rules.contains("--button: #ffd600;") && rules.contains("@media (prefers-color-scheme: dark)"))
        #expect(AccentColor("#FFD600")?.digits == "ffd600")
    }

    @Test(
        "Anything but six digits is refused",
        arguments: [
            "", "#", "0b6357", "#0b635", "#0b63577", "#0b635g", "teal", "#0b6357 ", "#+b6357", "#０b6357", "#fff",
        ])
    func refused(text: String) {
        #expect(AccentColor(text) == nil)
    }
}
