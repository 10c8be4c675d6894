import Keybearer

/// The tab "Webhooks" of "API & Webhooks": `GET /workspaces/{workspaceID}/webhooks`, and the response to a refused `POST`
/// there.
struct WebhooksPage: Page, Equatable {
    static let template = Template.webhooks

    /// After one was deleted.
    static let deleted = Notice(.success, "Webhook deleted. It gets no more messages.", query: "deleted")
    /// After the form that added one was sent again.
    static let addedBefore = Notice(
        .information, "This webhook was added before. Its secret was shown then; replace it if you do not have it.")

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What happened before this page.
    let notice: Notice?
    /// Why there is no list: the plan; nil where it includes the API.
    let lock: LockPanel?
    /// Whether the reader may see webhooks.
    let canView: Bool
    /// The webhooks.
    let webhooks: [WebhookRow]
    /// Whether there are any.
    let hasWebhooks: Bool
    /// How many there are of how many, in words.
    let count: String
    /// Whether there may be another one.
    let hasRoom: Bool
    /// The form for another one.
    let form: WebhookForm
    /// A new random value per page: a form sent twice adds one.
    let idempotencyKey: String

    /// The parts of a page that has a list.
    ///
    /// - Parameter webhooks: nil for a reader who may not see them, or whose plan does not include them.
    init(
        shell: DashboardShell, access: WorkspaceAccess, webhooks: [WebhookEndpoint]?, form: WebhookForm,
        lock: LockPanel? = nil, notice: Notice? = nil, idempotencyKey: String = ""
    ) {
        self.idempotencyKey = idempotencyKey
        self.shell = shell
        self.notice = notice
        self.lock = lock
        workspaceID = access.workspace.id.rawValue
        canView = Permissions.allows(access.role, .viewWebhooks)
        self.webhooks = (webhooks ?? []).map { WebhookRow($0) }
        hasWebhooks = !self.webhooks.isEmpty
        count = "\(self.webhooks.count) of \(WebhookEndpoint.most)"
        hasRoom = self.webhooks.count < WebhookEndpoint.most
        self.form = form
    }
}

/// A webhook in the list.
struct WebhookRow: Sendable, Equatable {
    let id: String
    let name: String
    let url: String
    /// What is to be known of it at a glance; nil where it works.
    let status: String?
    /// Whether that is a failure.
    let isFailing: Bool
    /// What it gets, in words.
    let events: String
    /// Which state of it the page shows: a form is for this one.
    let version: Int

    init(_ endpoint: WebhookEndpoint) {
        version = endpoint.version
        (id, name, url) = (endpoint.id.rawValue, endpoint.name, endpoint.url.text)
        isFailing = endpoint.isFailing
        status = endpoint.status
        switch endpoint.events {
        case .all: events = "all events"
        case .names(let names): events = names.count == 1 ? "1 event" : "\(names.count) events"
        }
    }
}

extension WebhookEndpoint {
    /// Whether nothing arrives there.
    fileprivate var isFailing: Bool {
        switch state {
        case .failed, .gone: true
        case .disabled: false
        case .enabled: health.notice != .none
        }
    }

    /// What is to be known of it; nil where it works.
    var status: String? {
        switch state {
        case .enabled: health.notice == .none ? nil : "failing"
        case .disabled: "disabled"
        case .failed: "disabled after five days of failures"
        case .gone: "disabled: it said that it is gone"
        }
    }
}

/// The form of a webhook.
struct WebhookForm: Sendable, Equatable {
    /// What was typed.
    var name = ""
    var url = ""
    /// Whether all events are chosen.
    var isAll = false
    /// What can be chosen.
    var groups: [EventGroup] = []
    /// What is wrong; nil for nothing.
    var nameError: String?
    var urlError: String?
    var eventsError: String?
    /// Whether anything is.
    var hasErrors: Bool { nameError != nil || urlError != nil || eventsError != nil }

    /// A form with what was typed, or with what an endpoint has.
    ///
    /// - Parameter types: the product's events.
    init(
        name: String = "", url: String = "", events: [String] = [], types: [EventType],
        problems: [String: String] = [:]
    ) {
        (self.name, self.url, isAll) = (name, url, events == ["*"])
        (nameError, urlError, eventsError) = (problems["name"], problems["url"], problems["events"])
        groups = EventGroup.all(types, chosen: Set(events))
    }

    init(of endpoint: WebhookEndpoint, types: [EventType]) {
        self.init(name: endpoint.name, url: endpoint.url.text, events: endpoint.events.texts, types: types)
    }
}

/// Events of one resource.
struct EventGroup: Sendable, Equatable {
    let name: String
    let events: [EventChoice]

    /// The product's first, in the order of their names, then Keybearer's own.
    static func all(_ types: [EventType], chosen: Set<String>) -> [EventGroup] {
        let products = types.map { EventChoice($0.name, $0.description, chosen) }
        let own = OwnEvent.allCases.filter(\.isChosen).map { EventChoice($0.name, $0.summary, chosen) }
        // What was chosen and is no longer in the catalogue can still be left out.
        let known = Set((products + own).map(\.name))
        let gone = chosen.subtracting(known).subtracting(["*"]).sorted().map {
            EventChoice(EventName(rawValue: $0), "No longer in the catalogue.", chosen)
        }
        var groups: [EventGroup] = []
        for choice in products + gone + own {
            let group = EventName(rawValue: choice.name).group
            if let last = groups.last, last.name == group {
                groups[groups.count - 1] = EventGroup(name: group, events: last.events + [choice])
            } else {
                groups.append(EventGroup(name: group, events: [choice]))
            }
        }
        return groups
    }
}

/// An event that can be chosen.
struct EventChoice: Sendable, Equatable {
    let name: String
    let description: String
    let isChosen: Bool

    init(_ name: EventName, _ description: String, _ chosen: Set<String>) {
        (self.name, self.description) = (name.rawValue, description)
        isChosen = chosen.contains(name.rawValue)
    }
}

/// One webhook: `GET /workspaces/{workspaceID}/webhooks/{webhookID}`, and what follows the forms there.
struct WebhookPage: Page, Equatable {
    static let template = Template.webhook

    static let saved = Notice(.success, "Saved.", query: "saved")
    static let enabled = Notice(.success, "Enabled. Send again what it missed, if you like.", query: "enabled")
    static let disabled = Notice(.information, "Disabled. It gets no messages.", query: "disabled")
    static let tested = Notice(.success, "A test event is on its way. Reload to see it.", query: "tested")

    /// After messages were sent again.
    static func replayed(_ count: Int) -> Notice {
        let text =
            switch count {
            case ...0: "Nothing was missed on these days."
            case 1: "1 message is sent again."
            default: "\(min(count, WebhookResend.most)) messages are sent again."
            }
        return Notice(.success, text, query: "replayed")
    }

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What happened before this page.
    let notice: Notice?
    /// The webhook.
    let webhook: WebhookRow
    /// Whether it gets messages.
    let isOn: Bool
    /// Since when nothing arrives; nil while it works.
    let failingSince: PageTime?
    /// Whether the plan includes webhooks.
    let isLocked: Bool
    /// The form that changes it.
    let form: WebhookForm
    /// The secret, in the one answer that shows it.
    let revealedSecret: String?
    /// Until when the old secret signs as well.
    let oldSecretEndsAt: PageTime?
    /// Its deliveries.
    let deliveries: [DeliveryRow]
    /// Whether there are any.
    let hasDeliveries: Bool
    /// What the list is narrowed to.
    let filter: DeliveryFilterForm
    /// The next part of the list; nil at its end.
    let olderPath: String?
    /// What came of a sample that was checked; nil where none was.
    let sample: SampleResult?
}

/// What a list of deliveries is narrowed to.
struct DeliveryFilterForm: Sendable, Equatable {
    /// The name of an event; empty for all.
    let event: String
    let states: [FilterChoice]
    /// Whether it is narrowed at all.
    let isFiltered: Bool

    init(event: String, state: String) {
        self.event = event
        states = WebhookDelivery.State.allCases.map {
            FilterChoice(value: $0.rawValue, name: $0.words, isChosen: $0.rawValue == state)
        }
        isFiltered = !event.isEmpty || !state.isEmpty
    }
}

/// A choice of a filter.
struct FilterChoice: Sendable, Equatable {
    let value: String
    let name: String
    let isChosen: Bool
}

extension WebhookDelivery.State {
    /// For people.
    var words: String {
        switch self {
        case .waiting: "Waiting"
        case .delivered: "Delivered"
        case .failed: "Failed"
        case .locked: "Not sent: plan"
        case .disabled: "Not sent: disabled"
        }
    }
}

/// A delivery in the list.
struct DeliveryRow: Sendable, Equatable {
    let id: String
    let event: String
    let state: String
    let isFailure: Bool
    let createdAt: PageTime
    let attempts: String
    let nextAt: PageTime?

    init(_ delivery: WebhookDelivery) {
        (id, event, state) = (delivery.messageID.rawValue, delivery.event.rawValue, delivery.state.words)
        isFailure = delivery.state == .failed || delivery.state == .waiting && delivery.attempts > 0
        createdAt = PageTime(delivery.createdAt)
        attempts = delivery.attempts == 1 ? "1 attempt" : "\(delivery.attempts) attempts"
        nextAt = delivery.attempts > 0 ? delivery.dueAt.map { PageTime($0) } : nil
    }
}

/// What came of a sample.
struct SampleResult: Sendable, Equatable {
    let isGenuine: Bool
    let text: String
}
