"""Mail that was caught instead of sent, where no mail server is set: for development and trials."""

from django.db import models


class CaughtMail(models.Model):
    """A message as it would have been sent. Forgotten within a day."""

    to = models.CharField(max_length=320)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name_plural = "caught mail"

    def __str__(self) -> str:
        return self.subject
