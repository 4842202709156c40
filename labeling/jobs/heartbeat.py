"""What a worker beside the database says of itself: which queues it serves and which tasks it is at."""

from records import Worker
from records.names import WEB_QUEUE


def describe(name: str, started_at: str) -> Worker:
    """What the worker of this name, which is this process, is and is at."""
    from celery import current_app
    from celery.worker import state  # of a worker, where it is loaded; senders do without

    queues = ",".join(sorted(current_app.amqp.queues.consume_from)) or WEB_QUEUE
    running = tuple(sorted(request.name for request in tuple(state.active_requests)))
    return Worker(name=name, queue=queues, device="", started_at=started_at, running=running)
