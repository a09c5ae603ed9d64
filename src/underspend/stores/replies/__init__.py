"""The response cache: stores of kept replies behind `core.replies.ReplyStore`, and what seals them."""
