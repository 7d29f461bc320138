"""The substation's model beside real charging sessions, and beside another simulator."""
