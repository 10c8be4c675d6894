import HTTPTypes
import Keybearer

extension Routes {
    /// Webhooks of a workspace, for the keys of its Owners and Admins.
    static func webhooks(_ webhooks: WebhookHandlers) -> [Route] {
        let one = "/api/v1/webhooks/{webhookID}"
        return [
            .key(
                .get, "/api/v1/event-types", returns: PlainList<EventTypeJSON>.self,
                summary: "List the events that webhooks can get", .awaiting(webhooks.eventTypes)),
            .key(
                .get, "/api/v1/webhooks", returns: PlainList<WebhookJSON>.self, with: [.workspaceQuery],
                fails: [.forbidden], summary: "List the webhooks of a workspace", .awaiting(webhooks.list)),
            .key(
                .post, "/api/v1/webhooks", returns: Success<WebhookJSON>.self, takes: .json(WebhookInput.newMembers),
                with: [.idempotencyKey], fails: [.conflict, .forbidden],
                summary: "Create a webhook: the secret is in this answer alone",
                .awaiting(webhooks.create)),
            .key(
                .get, one, returns: Success<WebhookJSON>.self, fails: [.forbidden], summary: "Get a webhook",
                .awaiting(webhooks.get)),
            .key(
                .patch, one, returns: Success<WebhookJSON>.self, takes: .json(WebhookInput.patchMembers),
                fails: [.conflict, .forbidden], summary: "Change, enable or disable a webhook",
                .awaiting(webhooks.patch)),
            .key(
                .delete, one, returns: NoContent.self, takes: .emptyObject, fails: [.conflict, .forbidden],
                summary: "Delete a webhook",
                .awaiting(webhooks.delete)),
            .key(
                .post, one + "/rotate-secret", returns: Success<WebhookJSON>.self,
                takes: .optionalJSON(WebhookInput.rotationMembers), with: [.idempotencyKey],
                fails: [.conflict, .forbidden],
                summary: "Replace the secret of a webhook; the old one signs as well for a while",
                .awaiting(webhooks.rotate)),
            .key(
                .post, one + "/test", returns: Success<QueuedMessageJSON>.self, takes: .emptyObject,
                fails: [.conflict, .forbidden], summary: "Send a test event to a webhook", .awaiting(webhooks.test)),
            .key(
                .get, one + "/deliveries", returns: CursorPage<DeliveryJSON>.self, with: WebhookInput.filters,
                fails: [.forbidden], summary: "List what became of a webhook's messages", .awaiting(webhooks.deliveries)
            ),
            .key(
                .get, one + "/deliveries/{messageID}", returns: Success<DeliveryJSON>.self,
                fails: [.forbidden], summary: "Get a message with its attempts", .awaiting(webhooks.delivery)),
            .key(
                .post, one + "/deliveries/{messageID}/resend", returns: NoContent.self, takes: .emptyObject,
                fails: [.conflict, .forbidden], summary: "Send a message again", .awaiting(webhooks.resend)),
            .key(
                .post, one + "/replay", returns: Success<ReplayJSON>.self, takes: .json(WebhookInput.replayMembers),
                fails: [.conflict, .forbidden], summary: "Send again what a webhook missed, up to 10,000 messages",
                .awaiting(webhooks.replay)),
        ]
    }

    /// The operator API: webhooks of every workspace and of the operator's own.
    static func operatorWebhooks(_ webhooks: OperatorWebhookHandlers) -> [Route] {
        let one = "/operator/v1/webhooks/{webhookID}"
        return [
            .operatorToken(
                .get, "/operator/v1/webhooks", for: .writeWebhooks, returns: PlainList<WebhookJSON>.self,
                with: OperatorWebhookHandlers.filters, namesOthers: true,
                summary: "List the webhooks of a workspace, or the operator's", webhooks.list),
            .operatorToken(
                .post, "/operator/v1/webhooks", for: .writeWebhooks, returns: Success<WebhookJSON>.self,
                takes: .json(WebhookInput.newOperatorMembers), with: [.idempotencyKey], namesOthers: true,
                fails: [.conflict], summary: "Create a webhook: the secret is in this answer alone", webhooks.create),
            .operatorToken(
                .get, one, for: .writeWebhooks, returns: Success<WebhookJSON>.self, summary: "Get a webhook",
                webhooks.get),
            .operatorToken(
                .patch, one, for: .writeWebhooks, returns: Success<WebhookJSON>.self,
                takes: .json(WebhookInput.patchMembers), with: [.ifMatch], namesOthers: true,
                fails: [.conflict], summary: "Change, enable or disable a webhook", webhooks.patch),
            .operatorToken(
                .delete, one, for: .writeWebhooks, returns: NoContent.self, takes: .emptyObject, with: [.ifMatch],
                fails: [.conflict], summary: "Delete a webhook", webhooks.delete),
            .operatorToken(
                .post, one + "/rotate-secret", for: .writeWebhooks, returns: Success<WebhookJSON>.self,
                takes: .optionalJSON(WebhookInput.rotationMembers), with: [.idempotencyKey, .ifMatch],
                fails: [.conflict], summary: "Replace the secret of a webhook; the old one signs as well for a while",
                webhooks.rotate),
            .operatorToken(
                .post, one + "/test", for: .writeWebhooks, returns: Success<QueuedMessageJSON>.self,
                takes: .emptyObject, fails: [.conflict], summary: "Send a test event to a webhook", webhooks.test),
            .operatorToken(
                .get, one + "/deliveries", for: .writeWebhooks, returns: CursorPage<DeliveryJSON>.self,
                with: WebhookInput.filters, summary: "List what became of a webhook's messages", webhooks.deliveries),
            .operatorToken(
                .get, one + "/deliveries/{messageID}", for: .writeWebhooks, returns: Success<DeliveryJSON>.self,
                summary: "Get a message with its attempts", webhooks.delivery),
            .operatorToken(
                .post, one + "/deliveries/{messageID}/resend", for: .writeWebhooks, returns: NoContent.self,
                takes: .emptyObject, fails: [.conflict], summary: "Send a message again", webhooks.resend),
            .operatorToken(
                .post, one + "/replay", for: .writeWebhooks, returns: Success<ReplayJSON>.self,
                takes: .json(WebhookInput.replayMembers),
                fails: [.conflict], summary: "Send again what a webhook missed, up to 10,000 messages", webhooks.replay),
        ]
    }

    /// The tab "Webhooks" of the dashboard.
    static func webhookPages(_ webhooks: WebhookPageHandlers) -> [Route] {
        let one = "/webhooks/{webhookID}"
        return [
            .workspace(.get, "/webhooks", does: .openWorkspace, inPortal: [.webhooks], webhooks.list),
            .workspace(.post, "/webhooks", does: .manageWebhooks, inPortal: [.webhooks], webhooks.create),
            .workspace(.get, one, does: .viewWebhooks, inPortal: [.webhooks], webhooks.page),
            .workspace(.post, one, does: .manageWebhooks, inPortal: [.webhooks], webhooks.change),
            .workspace(.post, one + "/rotate-secret", does: .manageWebhooks, inPortal: [.webhooks], webhooks.rotate),
            .workspace(.post, one + "/enable", does: .manageWebhooks, inPortal: [.webhooks], webhooks.enable),
            .workspace(.post, one + "/disable", does: .stopWebhooks, inPortal: [.webhooks], webhooks.disable),
            .workspace(.post, one + "/delete", does: .stopWebhooks, inPortal: [.webhooks], webhooks.delete),
            .workspace(.post, one + "/test", does: .manageWebhooks, inPortal: [.webhooks], webhooks.test),
            .workspace(.post, one + "/replay", does: .manageWebhooks, inPortal: [.webhooks], webhooks.replay),
            .workspace(.post, one + "/verify", does: .viewWebhooks, inPortal: [.webhooks], webhooks.verifySample),
            .workspace(
                .get, one + "/deliveries/{messageID}", does: .viewWebhooks, inPortal: [.webhooks], webhooks.delivery),
            .workspace(
                .post, one + "/deliveries/{messageID}/resend", does: .manageWebhooks, inPortal: [.webhooks],
                webhooks.resend),
        ]
    }

    /// The operator API: what the product tells.
    static func operatorEvents(_ events: EventHandlers) -> [Route] {
        [
            .operatorToken(
                .get, "/operator/v1/event-types", for: .publishEvents, returns: PlainList<EventTypeJSON>.self,
                summary: "List the product's kinds of events", events.types),
            .operatorToken(
                .put, "/operator/v1/event-types/{eventType}", for: .publishEvents,
                returns: Success<EventTypeJSON>.self, takes: .json(EventHandlers.typeMembers), fails: [.conflict],
                summary: "Add a kind of event or replace one", events.put),
            .operatorToken(
                .delete, "/operator/v1/event-types/{eventType}", for: .publishEvents, returns: NoContent.self,
                takes: .emptyObject, summary: "Delete a kind of event", events.delete),
            .operatorToken(
                .post, "/operator/v1/events", for: .publishEvents, returns: Success<PublishedEventJSON>.self,
                takes: .json(EventHandlers.eventMembers, upTo: 128 * 1_024), namesOthers: true,
                summary: "Publish an event", events.publish),
            .operatorToken(
                .post, "/operator/v1/events/batch", for: .publishEvents, returns: PlainList<PublishedEventJSON>.self,
                takes: .json(EventHandlers.batchMembers, upTo: 1_024 * 1_024), namesOthers: true,
                summary: "Publish up to 1,000 events", events.publishBatch),
        ]
    }
}
