"""Somebody with a browser at the pages of `people.mjs`, by plain requests."""

from __future__ import annotations

import re

import httpx2

_FIELD = re.compile(r'<form[^>]*action="([^"]+)".*?name="prompt" value="([^"]+)"', re.DOTALL)
_ABORT = re.compile(r'href="([^"]+/abort)"')


def sign_in(url: str, name: str = "ann", *, agrees: bool = True) -> httpx2.Response:
    """Follow the page's forms; the last answer, which is of another host than the first."""
    with httpx2.Client() as browser:
        answer = browser.get(url)
        for _ in range(20):
            if answer.next_request is not None:
                answer = browser.send(answer.next_request)
            elif answer.url.port != httpx2.URL(url).port or not _FIELD.search(answer.text):
                return answer
            elif not agrees:
                answer = browser.get(answer.url.join(_ABORT.search(answer.text)[1]))
            else:
                action, prompt = _FIELD.search(answer.text).groups()
                form = {"prompt": prompt, "login": name, "password": "any"}
                answer = browser.post(answer.url.join(action), data=form)
    raise AssertionError(f"the pages of {url} have no end")
