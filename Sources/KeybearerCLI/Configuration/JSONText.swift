/// A value of a JSON text, kept as it is written.
///
/// A parser of our own, because the usual ones drop what a settings file must not contain: of two members with one name
/// they keep one, and they turn `1e3` and `5.0` into whole numbers.
enum JSONText: Equatable {
    case text(String)
    /// The digits as they are written.
    case number(String)
    case boolean(Bool)
    case null
    case list([JSONText])
    case object([Member])

    /// A name with its value.
    struct Member: Equatable {
        let name: String
        let value: JSONText
    }

    /// The type, for a message.
    var typeName: String {
        switch self {
        case .text: "text"
        case .number: "a number"
        case .boolean(let value): "the boolean \(value)"
        case .null: "null"
        case .list: "an array"
        case .object: "an object"
        }
    }

    /// Why a text is no JSON.
    struct Malformed: Error, Equatable {
        /// Counted from 1.
        let line: Int
        let problem: String
    }

    /// Reads one value that fills the whole text. A byte order mark before it is accepted, and comments are: two slashes
    /// and the rest of their line, wherever white space may be.
    static func parse(_ text: String) throws(Malformed) -> JSONText {
        var parser = JSONParser(text)
        return try parser.document()
    }
}

/// Reads scalar by scalar: in Swift, CR and LF together are one character.
private struct JSONParser {
    private static let deepest = 32

    private let scalars: [Unicode.Scalar]
    private var place = 0

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        if scalars.first == "\u{FEFF}" { place = 1 }
    }

    mutating func document() throws(JSONText.Malformed) -> JSONText {
        let value = try value(depth: 0)
        skipSpace()
        guard place == scalars.count else { throw malformed("there is something behind the end of the JSON value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONText.Malformed) -> JSONText {
        guard depth < Self.deepest else { throw malformed("it is nested too deeply") }
        skipSpace()
        switch current {
        case "{": return try object(depth: depth)
        case "[": return try list(depth: depth)
        case "\"": return .text(try string())
        case "t": return try word("true", .boolean(true))
        case "f": return try word("false", .boolean(false))
        case "n": return try word("null", .null)
        case nil: throw malformed("the text ends too early")
        case let scalar? where scalar == "-" || Self.isDigit(scalar): return .number(try number())
        default: throw malformed("a value is expected")
        }
    }

    private mutating func object(depth: Int) throws(JSONText.Malformed) -> JSONText {
        place += 1
        var members: [JSONText.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard current == "\"" else { throw malformed("a name in double quotes is expected") }
            let name = try string()
            skipSpace()
            guard take(":") else { throw malformed("a colon is expected behind \"\(name)\"") }
            members.append(.init(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw malformed("a comma or } is expected") }
        }
    }

    private mutating func list(depth: Int) throws(JSONText.Malformed) -> JSONText {
        place += 1
        var values: [JSONText] = []
        skipSpace()
        if take("]") { return .list(values) }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .list(values) }
            guard take(",") else { throw malformed("a comma or ] is expected") }
        }
    }

    private mutating func string() throws(JSONText.Malformed) -> String {
        place += 1
        var text = String.UnicodeScalarView()
        while let scalar = current {
            place += 1
            switch scalar {
            case "\"": return String(text)
            case "\\": text.append(try escaped())
            case _ where scalar.value < 0x20: throw malformed("a control character stands in a text")
            default: text.append(scalar)
            }
        }
        throw malformed("a text has no end")
    }

    private mutating func escaped() throws(JSONText.Malformed) -> Unicode.Scalar {
        let plain: [Unicode.Scalar: Unicode.Scalar] = [
            "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t",
        ]
        guard let letter = current else { throw malformed("a text has no end") }
        place += 1
        if let scalar = plain[letter] { return scalar }
        guard letter == "u" else { throw malformed("\\\(letter) is no escape") }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // The first half of a pair.
        guard first < 0xDC00, take("\\"), take("u") else { throw malformed("half a surrogate pair") }
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw malformed("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONText.Malformed) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let scalar = current, let digit = Character(scalar).hexDigitValue, scalar.isASCII else {
                throw malformed("four hexadecimal digits are expected behind \\u")
            }
            value = value * 16 + UInt32(digit)
            place += 1
        }
        return value
    }

    private mutating func number() throws(JSONText.Malformed) -> String {
        let start = place
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(String.UnicodeScalarView(scalars[start..<place]))
    }

    private mutating func digits() throws(JSONText.Malformed) {
        let start = place
        while let scalar = current, Self.isDigit(scalar) { place += 1 }
        if place == start { throw malformed("a digit is expected") }
    }

    private mutating func word(_ word: String, _ value: JSONText) throws(JSONText.Malformed) -> JSONText {
        for scalar in word.unicodeScalars where !take(scalar) { throw malformed("a value is expected") }
        return value
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { (48...57).contains(scalar.value) }

    private var current: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        place += 1
        return true
    }

    /// Skips white space and comments: two slashes and the rest of their line.
    private mutating func skipSpace() {
        while let scalar = current {
            if scalar == "/", scalars[(place + 1)...].first == "/" {
                while let scalar = current, scalar != "\n" { place += 1 }
            } else if [" ", "\t", "\r", "\n"].contains(scalar) {
                place += 1
            } else {
                return
            }
        }
    }

    private func malformed(_ problem: String) -> JSONText.Malformed {
        JSONText.Malformed(line: scalars[..<min(place, scalars.count)].count { $0 == "\n" } + 1, problem: problem)
    }
}
