/// The stored form of a ``KeyHistory``: lines of text, each a kind and its values, separated by tabs.
///
/// Lines of a kind that this version does not know, and lines that cannot be read, are left out: a history is for people,
/// and decides nothing.
extension KeyHistory {
    private enum Kind: String {
        case key, previousKey, source, previousSource, refusal, attempts
    }

    /// Reads ``storedForm``.
    package init(storedForm: String) {
        var (keyID, previousKeyID): (KeyID?, KeyID?)
        var (sources, previousSources, refusals, attempts):
            ([KeySource], [KeySource], [KeyRefusal], [EndedKeyAttempts]) = ([], [], [], [])
        for line in storedForm.split(separator: "\n") {
            let values = line.split(separator: "\t", omittingEmptySubsequences: false)
            switch Kind(rawValue: String(values[0])) {
            case .key where values.count == 2: keyID = KeyID(rawValue: String(values[1]))
            case .previousKey where values.count == 2: previousKeyID = KeyID(rawValue: String(values[1]))
            case .source: if let source = KeySource(values) { sources.append(source) }
            case .previousSource: if let source = KeySource(values) { previousSources.append(source) }
            case .refusal: if let refusal = KeyRefusal(values) { refusals.append(refusal) }
            case .attempts: if let part = EndedKeyAttempts(values) { attempts.append(part) }
            default: break
            }
        }
        self.init(
            keyID: keyID, sources: sources, previousKeyID: previousKeyID, previousSources: previousSources,
            refusals: refusals, attempts: attempts)
    }

    /// The history as text, of a few kilobytes at most.
    package var storedForm: String {
        func line(_ kind: Kind, _ values: [String]) -> String { ([kind.rawValue] + values).joined(separator: "\t") }
        let keys = [
            keyID.map { line(.key, [$0.rawValue]) }, previousKeyID.map { line(.previousKey, [$0.rawValue]) },
        ]
        let lines =
            keys.compactMap(\.self) + sources.map { line(.source, $0.values) }
            + previousSources.map { line(.previousSource, $0.values) } + refusals.map { line(.refusal, $0.values) }
            + attempts.map { line(.attempts, $0.values) }
        return lines.joined(separator: "\n")
    }
}

private func time(_ text: Substring) -> Timestamp? {
    Int64(text).map { Timestamp(millisecondsSinceEpoch: $0) }
}

private func text(_ time: Timestamp) -> String { String(time.millisecondsSinceEpoch) }

extension KeySource {
    fileprivate init?(_ values: [Substring]) {
        guard values.count == 5, let address = IPAddress(values[1]), let first = time(values[2]),
            let last = time(values[3])
        else { return nil }
        self.init(
            address: address, userAgent: ClientName.visible(values[4].utf8), firstSeenAt: first, lastSeenAt: last)
    }

    fileprivate var values: [String] {
        [address.description, text(firstSeenAt), text(lastSeenAt), ClientName.visible(userAgent.utf8)]
    }
}

extension KeyRefusal {
    fileprivate init?(_ values: [Substring]) {
        guard values.count == 5, let at = time(values[1]), let reason = UsageOutcome(rawValue: String(values[2])),
            let address = IPAddress(values[3])
        else { return nil }
        self.init(at: at, reason: reason, address: address, requestID: ClientName.visible(values[4].utf8))
    }

    fileprivate var values: [String] {
        [text(at), reason.rawValue, address.description, ClientName.visible(requestID.utf8)]
    }
}

extension EndedKeyAttempts {
    fileprivate init?(_ values: [Substring]) {
        guard values.count == 6, let endedAt = time(values[1]), let count = Int(values[2]), let first = time(values[3]),
            let last = time(values[4]), let address = IPAddress(values[5])
        else { return nil }
        self.init(endedAt: endedAt, count: count, firstAt: first, lastAt: last, address: address)
    }

    fileprivate var values: [String] {
        [text(endedAt), String(count), text(firstAt), text(lastAt), address.description]
    }
}
