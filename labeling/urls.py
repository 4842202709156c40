"""Every address of Parley, one line each. A test walks this list and finds an access rule on every view."""

from django.urls import path

from labeling.views import account, guidelines, home, people, projects, signing_in

urlpatterns = [
    path("", home.home, name="home"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    # The person.
    path("account/", account.account, name="account"),
    path("account/password/", account.change_password, name="change_password"),
    path("account/theme/", account.theme, name="theme"),
    # People.
    path("people/", people.people, name="people"),
    path("people/<uuid:user_id>/role/", people.change_role, name="change_role"),
    path("people/<uuid:user_id>/close/", people.close_account, name="close_account"),
    path("people/<uuid:user_id>/open/", people.open_account, name="open_account"),
    path("people/<uuid:user_id>/password/", people.reset_password, name="reset_password"),
    # Projects.
    path("new-project/", projects.new_project, name="new_project"),
    path("p/<slug:slug>/", projects.project, name="project"),
    path("p/<slug:slug>/settings/", projects.project_settings, name="project_settings"),
    path("p/<slug:slug>/settings/archive/", projects.archive_project, name="archive_project"),
    path("p/<slug:slug>/settings/guidelines/", guidelines.edit_guidelines, name="edit_guidelines"),
    path("p/<slug:slug>/settings/people/", projects.project_people, name="project_people"),
    path("p/<slug:slug>/guidelines/", guidelines.guidelines, name="guidelines"),
    path("preview/", guidelines.preview, name="preview"),
]
