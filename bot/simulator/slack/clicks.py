"""What people do with buttons, menus, modals and shortcuts."""

from collections.abc import Mapping
from typing import Any

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError
from bot.simulator.slack.api.views import check_view, new_view, replace
from bot.simulator.slack.blocks import elements_of
from bot.simulator.slack.delivery import Delivery, DeliveryKind
from bot.simulator.slack.desk import Desk, RefusedError
from bot.simulator.slack.flatten import unescape
from bot.simulator.slack.forms import filled, initial, inputs, is_empty, options
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Blocks, Ephemeral, Json, Message, User, View

Surface = Message | Ephemeral | View


class InteractionVerbs(Desk):
    """Each verb waits until the app has acknowledged the interaction, or failed to."""

    async def press(self, who: str, where: Surface, label: str) -> Delivery:
        """Press the button with this label, and its confirmation where it asks for one.

        ``delivery.payload["actions"][0]["confirm"]`` is what was confirmed.
        """
        user = self._present(who, where)
        for block in where.blocks:
            for element in elements_of(block):
                if element["type"] == "button" and label in _labels(element["text"]):
                    return await self._act(user, where, block, element)
        raise RefusedError(f"no button {label!r} in:\n{self.workspace.visible(where)}")

    async def choose(self, who: str, where: Surface, name: str, picked: Any) -> Delivery:
        """Pick from a menu (or an overflow's entries), named by its action id, block id, label or placeholder."""
        user = self._present(who, where)
        for block in where.blocks:
            for element in elements_of(block):
                if element["type"] != "button" and name in _names(block, element):
                    if block["type"] == "input" and not block.get("dispatch_action"):
                        raise RefusedError(
                            f"{name!r} tells the app nothing before it is submitted: fill it in"
                        )
                    state = filled(element, picked, await self._offered(user, where, block, element, picked))
                    if isinstance(where, View):
                        where.values.setdefault(block["block_id"], {})[element["action_id"]] = state
                    return await self._act(user, where, block, {**element, **state})
        raise RefusedError(f"no menu {name!r} in:\n{self.workspace.visible(where)}")

    async def fill(self, who: str, view: View, values: Mapping[str, Any]) -> None:
        """Fill in a modal's elements by label, block id or action id; only menus of outside options ask the app."""
        user = self._present(who, view)
        for name, given in values.items():
            for block, element in inputs(view.blocks):
                if name in _names(block, element):
                    offered = await self._offered(user, view, block, element, given)
                    view.values.setdefault(block["block_id"], {})[element["action_id"]] = filled(
                        element, given, offered
                    )
                    break
            else:
                raise RefusedError(f"no field {name!r} in:\n{self.workspace.visible(view)}")

    async def submit(self, who: str, view: View, values: Mapping[str, Any] | None = None) -> Delivery:
        """Fill in and submit a modal, and follow the answer: errors, another view, or closing it.

        ``view.errors`` holds the errors by block id; the key ``""`` means that Slack could not make sense of the answer.
        """
        user = self._present(who, view)
        await self.fill(who, view, values or {})
        self._complete(view)
        payload = self.interaction(
            "view_submission",
            user,
            trigger_id=self.workspace.new_trigger(user.id, view.id),
            view=payloads.view(self.workspace, view),
            response_urls=self._response_urls(user, view),
        )
        delivery = await self.interact(payload)
        self._follow(view, delivery)
        return delivery

    async def close(self, who: str, view: View) -> Delivery | None:
        """Close a modal; the app hears of it only where it asked to (``notify_on_close``)."""
        user = self._present(who, view)
        self._shut(view)
        if not view.view.get("notify_on_close"):
            return None
        shown = payloads.view(self.workspace, view)
        return await self.interact(self.interaction("view_closed", user, view=shown, is_cleared=False))

    async def shortcut(self, who: str, callback_id: str) -> Delivery:
        """A global shortcut."""
        user = self.workspace.user(who)
        trigger_id = self.workspace.new_trigger(user.id)
        payload = self.interaction("shortcut", user, trigger_id=trigger_id, callback_id=callback_id)
        return await self.interact(payload)

    async def message_shortcut(self, who: str, message: Message, callback_id: str) -> Delivery:
        """A shortcut from a message's menu."""
        user = self._present(who, message)
        payload = self.interaction(
            "message_action",
            user,
            trigger_id=self.workspace.new_trigger(user.id),
            callback_id=callback_id,
            response_url=self.workspace.new_response_url(message.channel, user.id, message),
            channel=self._channel(message.channel),
            message_ts=message.ts,
            message=payloads.message(self.workspace, message),
        )
        return await self.interact(payload)

    def modal(self, who: str) -> View:
        """The modal that this person has in front of them; ``LookupError`` where there is none."""
        user = self.workspace.user(who)
        return [view for view in self.workspace.views.values() if view.open and view.user == user.id][-1]

    def _present(self, who: str, where: Surface) -> User:
        """The person, if they can see that surface."""
        if isinstance(where, View):
            user = self.workspace.user(who)
            if where.user != user.id or not where.open:
                raise RefusedError(f"{user.name} does not see that view")
            return user
        user, _ = self.at(who, where.channel)
        if where.deleted or (isinstance(where, Ephemeral) and where.user != user.id):
            raise RefusedError(f"{user.name} does not see that message")
        return user

    def _channel(self, channel: str) -> Json:
        return {"id": channel, "name": self.workspace.names[channel]}

    async def _act(self, user: User, where: Surface, block: Json, element: Json) -> Delivery:
        action = {
            **{key: value for key, value in element.items() if key not in {"options", "option_groups"}},
            "block_id": block["block_id"],
            "action_ts": self.workspace.next_ts(),
        }
        view = where.id if isinstance(where, View) else None
        payload = self.interaction(
            "block_actions", user, trigger_id=self.workspace.new_trigger(user.id, view), actions=[action]
        )
        return await self.interact(payload | self._surface(user, where))

    def _surface(self, user: User, where: Surface) -> Json:
        """Where an action happened."""
        if isinstance(where, View):
            return {
                "container": {"type": "view", "view_id": where.id},
                "view": payloads.view(self.workspace, where),
            }
        thread = {"thread_ts": where.thread_ts} if where.thread_ts else {}
        container = {"type": "message", "message_ts": where.ts, "channel_id": where.channel, **thread}
        url = self.workspace.new_response_url(where.channel, user.id, where)
        shown = (
            payloads.message(self.workspace, where)
            if isinstance(where, Message)
            else payloads.ephemeral(self.workspace, where)
        )
        return {
            "container": {**container, "is_ephemeral": isinstance(where, Ephemeral)},
            "channel": self._channel(where.channel),
            "message": shown,
            "state": {"values": {}},
            "response_url": url,
        }

    async def _offered(self, user: User, where: Surface, block: Json, element: Json, given: Any) -> Blocks:
        """The options to pick from; the app is asked for those of an ``external_select``."""
        if element["type"] != "external_select" or given is None:
            return options(element)
        payload = self.interaction(
            "block_suggestion",
            user,
            **self._surface(user, where),
            block_id=block["block_id"],
            action_id=element["action_id"],
            value=str(given),
        )
        delivery = await self.courier.deliver(DeliveryKind.SUGGESTION, payload)
        return options(delivery.body) if isinstance(delivery.body, dict) else []

    def _complete(self, view: View) -> None:
        """Give every element its state; refuse to submit while a required one is empty, as the client does."""
        for block, element in inputs(view.blocks):
            state = view.values.setdefault(block["block_id"], {}).setdefault(
                element["action_id"], initial(element)
            )
            if block["type"] == "input" and not block.get("optional") and is_empty(state):
                raise RefusedError(f"{block['label']['text']!r} is required")

    def _response_urls(self, user: User, view: View) -> list[Json]:
        return [
            {
                "block_id": block["block_id"],
                "action_id": element["action_id"],
                "channel_id": channel,
                "response_url": self.workspace.new_response_url(channel, user.id),
            }
            for block, element in inputs(view.blocks)
            if element.get("response_url_enabled")
            for state in [view.values[block["block_id"]][element["action_id"]]]
            if (channel := state.get("selected_conversation") or state.get("selected_channel"))
        ]

    def _follow(self, view: View, delivery: Delivery) -> None:
        """Do what the answer to a submission says."""
        answer = delivery.body if isinstance(delivery.body, dict) else {}
        action = answer.get("response_action")
        view.errors = {}
        try:
            if not delivery.accepted:
                view.errors = {"": "We had some trouble connecting. Try again? (not acknowledged)"}
            elif action == "errors":
                view.errors = self._errors(view, answer)
            elif action == "update":
                replace(self.workspace, view, check_view(answer.get("view"), "modal"))
            elif action == "push":
                new_view(self.workspace, view.user, check_view(answer.get("view"), "modal"), above=view)
            elif action == "clear":
                for other in self.workspace.views.values():
                    other.open = other.open and other.root != view.root
            else:
                self._shut(view)
        except ApiError as error:
            view.errors = {
                "": f"We had some trouble connecting. Try again? ({error}: {'; '.join(error.messages)})"
            }
        self.workspace.hub.publish(Kind.VIEW, view)

    def _errors(self, view: View, answer: Json) -> dict[str, str]:
        errors = answer.get("errors")
        known = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= known:
            raise ApiError("errors must name input blocks")
        return {str(block): str(words) for block, words in errors.items()}

    def _shut(self, view: View) -> None:
        view.open = False
        self.workspace.hub.publish(Kind.VIEW, view)


def _labels(text: Json) -> set[str]:
    return {text["text"], unescape(text["text"])}


def _names(block: Json, element: Json) -> set[str]:
    """By what a field may be called."""
    names = {block["block_id"], element["action_id"]}
    for text in (block.get("label"), block.get("text"), element.get("placeholder")):
        names |= _labels(text) if text else set()
    return names
