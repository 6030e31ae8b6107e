// app/keys/own_keys.js: which keys are the page's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isForPage } from "../../../src/foretell/server/web/app/keys/own_keys.js";

/** An element that is, or stands in, what a selector of this part names. */
const element = (part) => ({ closest: (selectors) => (part && selectors.includes(part) ? {} : null) });
const event = (key, target, more = {}) => ({
  key,
  target,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  isComposing: false,
  defaultPrevented: false,
  ...more,
});

test("keys on the page and its buttons are the page's", () => {
  for (const key of ["ArrowLeft", "Enter", "u", "?"]) assert(isForPage(event(key, element(""))));
  assert(isForPage(event("u", null)));
});

test("fields and dialogs keep all keys", () => {
  for (const part of ["textarea", "select", "input", "[contenteditable]", "dialog"]) {
    for (const key of ["ArrowLeft", "u", "?"]) assert(!isForPage(event(key, element(part))), part);
  }
});

test("tabs, trees and sliders keep arrows, not letters", () => {
  for (const part of ["[role='tab']", "[role='treeitem']", "[role='slider']"]) {
    for (const key of ["ArrowLeft", "Enter", " "]) assert(!isForPage(event(key, element(part))), part);
    for (const key of ["u", "?", "["]) assert(isForPage(event(key, element(part))), part);
  }
});

test("shortcuts of the browser, compositions and what is done already are left alone", () => {
  for (const more of ["ctrlKey", "altKey", "metaKey", "isComposing", "defaultPrevented"]) {
    assert(!isForPage(event("u", element(""), { [more]: true })), more);
  }
});
