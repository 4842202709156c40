import pytest
@pytest.mark.django_db
def test_db():
    from labeling.models import User
    User.objects.create_user("Alice", "x")
    assert User.objects.count()==1
def test_redis(engines):
    import redis; from django.conf import settings
    assert redis.Redis.from_url(settings.REDIS_URL).ping()
