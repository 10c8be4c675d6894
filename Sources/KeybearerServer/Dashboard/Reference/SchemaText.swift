/// A schema in words, as a person reads it: `integer from 1 to 100; 20 if left out`.
enum SchemaText {
    /// The type, what it is limited to, and its default.
    static func describe(_ schema: Schema) -> String {
        type(of: schema) + (schema["default"].map { "; \($0) if left out" } ?? "")
    }

    private static func type(of schema: Schema) -> String {
        if let choices = schema["enum"] as? [String] {
            return choices.count == 1 ? "“\(choices[0])”" : "one of " + choices.joined(separator: ", ")
        }
        if let choices = schema["anyOf"] as? [Schema] {
            if choices.contains(where: { ($0["format"] as? String)?.hasPrefix("ipv") == true }) { return "IP address" }
            let isNullable = choices.contains { $0["type"] as? String == "null" }
            return (choices.first.map { type(of: $0) } ?? "any value") + (isNullable ? " or null" : "")
        }
        if let types = schema["type"] as? [String] { return types.joined(separator: " or ") }
        switch schema["type"] as? String {
        case "string": return string(schema)
        case "integer": return "integer" + range(schema)
        case "array": return "list of " + ((schema["items"] as? Schema).map { type(of: $0) } ?? "values")
        case "boolean": return "true or false"
        case let other?: return other
        case nil: return "any value"
        }
    }

    private static func string(_ schema: Schema) -> String {
        switch schema["format"] as? String {
        case "date-time": return "time, such as 2026-01-31T12:00:00Z"
        case "email": return "e-mail address"
        default: break
        }
        let pattern = schema["pattern"] as? String ?? ""
        if let found = pattern.firstMatch(of: /^\^(\(?)([a-z]{2,4}_)/) {
            return "\(found.2)…" + (found.1.isEmpty ? "" : " or ext:…")
        }
        return "text" + ((schema["maxLength"] as? Int).map { " of at most \(QuotaMeter.grouped($0)) characters" } ?? "")
    }

    private static func range(_ schema: Schema) -> String {
        switch (schema["minimum"] as? Int, schema["maximum"] as? Int) {
        case (let least?, let most?): " from \(number(least)) to \(number(most))"
        case (let least?, nil): " from \(number(least))"
        case (nil, let most?): " up to \(number(most))"
        case (nil, nil): ""
        }
    }

    private static func number(_ number: Int) -> String {
        number < 0 ? "−" + QuotaMeter.grouped(-number) : QuotaMeter.grouped(number)
    }
}
