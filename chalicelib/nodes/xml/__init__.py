"""XML to plain data and back. `import xml` still means the standard library's.

An element is an object: its attributes are `@name`, its text is `#text`, its children are fields; an element that has
only text is that text. Elements of one name are a list where there are several.
"""
