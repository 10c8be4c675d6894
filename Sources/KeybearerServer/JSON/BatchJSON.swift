/// What became of each operation of a batch, in order.
struct BatchJSON: JSONNoun {
    let results: [BatchResultJSON]

    static let noun = "BatchResults"
    static let sample = BatchJSON(results: [])
}

/// What one operation would have been answered alone.
struct BatchResultJSON: JSONNoun {
    let status: Int
    /// The envelope; left out where there would have been no body.
    let body: JSONValue?

    static let noun = "BatchResult"
    static let sample = BatchResultJSON(status: 200, body: nil)
}
